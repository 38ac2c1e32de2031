/** `sslmode` as libpq means it, against a server that takes some roles with TLS only, and some without only. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { StoreError } from "../../src/errors.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { type TestServer, temporaryFolder } from "../support/postgres.ts";
import { startTlsServer } from "../support/tlsServer.ts";

const ENCRYPTED = "encrypted_only";
const PLAIN = "plain_only";

describe("sslmode", () => {
  const folder = temporaryFolder();
  let server: TestServer;
  let url: URL;
  before(async () => {
    server = await startTlsServer([
      `hostssl all ${ENCRYPTED} all trust`,
      `hostnossl all ${ENCRYPTED} all reject`,
      `hostnossl all ${PLAIN} all trust`,
      `hostssl all ${PLAIN} all reject`,
    ]);
    await server.admin.query(`create role ${ENCRYPTED} login; create role ${PLAIN} login`);
    const [own] = await server.admin.query<{ pem: string }>("select pg_read_file('server.crt') as pem");
    writeFileSync(join(folder.path, "own.crt"), own!.pem);
    const made = await server.newDatabase({ migrated: false });
    url = new URL(made.url);
  });
  after(async () => {
    await server?.stop();
    folder.remove();
  });

  /** Whether the connection is encrypted; what is said where there is none. */
  async function isEncrypted(
    user: string | null,
    search: string,
    host = "localhost",
  ): Promise<boolean | string> {
    const asked = new URL(url);
    if (user) Object.assign(asked, { username: user, password: "" });
    Object.assign(asked, { search, hostname: host });
    const database = openPostgres(asked.href, { maxConnections: 1, environment: {} });
    try {
      const [row] = await database.query(
        "select ssl from pg_catalog.pg_stat_ssl where pid = pg_backend_pid()",
      );
      return row!.ssl as boolean;
    } catch (error) {
      assert.ok(error instanceof StoreError);
      return error.message;
    } finally {
      await database.close();
    }
  }

  const refused = /pg_hba\.conf rejects connection/;
  const cases: [mode: string, either: boolean, encrypted: boolean | RegExp, plain: boolean | RegExp][] = [
    ["", true, true, false],
    ["?sslmode=disable", false, refused, false],
    ["?sslmode=allow", false, true, false],
    ["?sslmode=prefer", true, true, false],
    ["?sslmode=require", true, true, refused],
  ];
  for (const [mode, ...expected] of cases)
    it(`${mode || "absent"}`, async () => {
      for (const [index, user] of [null, ENCRYPTED, PLAIN].entries()) {
        const [is, wanted] = [await isEncrypted(user, mode), expected[index]!];
        if (wanted instanceof RegExp) assert.match(String(is), wanted, `${user}`);
        else assert.equal(is, wanted, `${user}`);
      }
    });

  it("verify-ca and verify-full check who signed, the latter the name too", async () => {
    const own = `&sslrootcert=${join(folder.path, "own.crt")}`;
    assert.equal(await isEncrypted(null, `?sslmode=verify-ca${own}`, "127.0.0.1"), true);
    assert.equal(await isEncrypted(null, `?sslmode=verify-full${own}`), true);
    assert.match(
      String(await isEncrypted(null, `?sslmode=verify-full${own}`, "127.0.0.1")),
      /does not match/,
    );
    for (const mode of ["verify-ca", "verify-full"])
      assert.match(String(await isEncrypted(null, `?sslmode=${mode}`)), /certificate .* was not accepted/);
  });

  it("goes on with what the server took, in every further connection", async () => {
    const asked = new URL(url);
    Object.assign(asked, { username: PLAIN, password: "", hostname: "localhost" });
    const database = openPostgres(asked.href, { maxConnections: 3, environment: {} });
    const all = await Promise.all(
      [1, 2, 3].map(() =>
        database.query("select pg_sleep(0.1), ssl from pg_catalog.pg_stat_ssl where pid = pg_backend_pid()"),
      ),
    );
    assert.deepEqual(
      all.map(([row]) => row?.ssl),
      [false, false, false],
    );
    await database.close();
  });
});
