/**
 * What a database and its other users do to a running hlsync. One process for all rows: after each it lives, is ready again,
 * and every fill is stored; at the end `verify` finds nothing.
 *
 * Stopped, crashed, read-only, out of connections, rows changed by hand: `reliability`. Refusals of content, users' own CHECKs and
 * triggers: `contract/refusedRows`, `oddValues`. TLS, passwords, pools, privileges: `contract/databaseErrors`, `contract/pooler*`.
 * Full disks and folders that are gone: `hostileMachine`.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Running } from "../support/cli.ts";
import { startServer, type TestServer } from "../support/postgres.ts";
import type { Wire } from "../support/scriptedVenue.ts";
import { CaseRig, fill, state } from "./casesRig.ts";

/** A trigger that raises `code` for every fill until it was asked `times` times; without end when `times` is 0. */
const raising = (code: string, times = 0) => `
  create sequence if not exists public.raised;
  alter sequence public.raised restart;
  create or replace function public.mine() returns trigger language plpgsql as $$ begin
    if ${times} = 0 or nextval('public.raised') <= ${times} then
      raise exception 'from a trigger of mine' using errcode = '${code}';
    end if;
    return new;
  end $$;
  create or replace trigger mine before insert on public.hl_fills for each row execute function public.mine()`;
const QUIET = "drop trigger if exists mine on public.hl_fills";

/** What a backup of yesterday would lack, and bring back. */
const KEPT = ["public.hl_fills", "hl_internal.coverage", "hl_internal.workers", "hl_internal.outbox"];
const BACK_UP = `create schema backup; ${KEPT.map((table, i) => `create table backup.t${i} as table ${table}`).join("; ")}`;
const RESTORE = `
  begin; set local session_replication_role = replica;
  ${KEPT.map((table, i) => `delete from ${table}; insert into ${table} overriding system value select * from backup.t${i}`).join("; ")};
  select setval(pg_get_serial_sequence('hl_internal.outbox', 'id'), (select max(id) from hl_internal.outbox));
  commit; drop schema backup cascade`;

describe("a hostile database", () => {
  let server: TestServer;
  let rig: CaseRig;
  let running: Running;
  let url: string;
  const fills: Wire[] = [];
  before(async () => {
    server = await startServer("real");
    rig = await CaseRig.start(server);
    trade();
    running = await rig.streams();
    url = await running.line((line) => /^dashboard: (\S+)/.exec(line)?.[1]);
    await rig.until("readiness", isReady);
  });
  after(async () => {
    await rig?.close();
    await server?.stop();
  });

  const isReady = async () => (await fetch(`${url}/readyz`)).status === 200;
  const trade = (count = 1) => {
    for (let i = 0; i < count; i++) fills.push(fill("BTC", Date.now() - count + i, "0.0", 0));
    rig.venue.begin({ clearinghouse: { "": state([]) }, fills: [...fills] });
  };
  const count = async () => {
    const rows = await rig.rows<{ count: number }>("select count(*)::int as count from hl_fills");
    return rows[0]!.count;
  };
  const whole = async () => {
    await rig.until("all fills", async () => (await count()) === fills.length);
    await rig.until("readiness", isReady);
    assert.equal(running.child.exitCode, null, running.stderr().slice(-500));
  };

  for (const [what, code, reason] of [
    ["its disk is full", "53100", /takes no writes for .* \(53100\)/],
    ["it is out of memory", "53200", /takes no writes for .* \(53200\)/],
  ] as const) {
    it(`${what}: not ready, in its own words, and all is stored afterwards`, async () => {
      await rig.rows(raising(code));
      trade(3);
      await rig.until("the reason", async () => {
        const answer = await fetch(`${url}/readyz`);
        return answer.status === 503 && reason.test(await answer.text());
      });
      assert.match(await (await fetch(`${url}/metrics`)).text(), /^hlsync_database_takes_writes 0$/m);
      await rig.rows(QUIET);
      await whole();
    });
  }

  for (const [what, code] of [
    ["a serialization failure", "40001"],
    ["a deadlock", "40P01"],
    ["a lock time-out", "55P03"],
    ["a canceled statement", "57014"],
  ] as const) {
    it(`${what}, a few times over: tried again, nothing is quarantined`, async () => {
      await rig.rows(raising(code, 3));
      trade(3);
      await whole();
      await rig.rows(QUIET);
      assert.deepEqual(await rig.rows("select 1 from hl_internal.quarantine"), []);
    });
  }

  it("its connections are ended by an administrator", async () => {
    await rig.rows(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    trade(3);
    await whole();
  });

  it("another session locks a table: waited for", async () => {
    const locked = rig.rows(
      "begin; lock table public.hl_fills in access exclusive mode; select pg_sleep(2); commit",
    );
    trade(3);
    await locked;
    await whole();
  });

  it("is restored from a backup under a running process: noticed, and what it lacks is read again", async () => {
    trade(5);
    await whole();
    await rig.rows(BACK_UP);
    trade(20);
    await whole();
    // More than one renewal of the lease later: a backup is older than that.
    await rig.until("a renewal", async () => {
      const rows = await rig.rows(
        "select 1 from backup.t2 b join hl_internal.workers w using (worker) where w.expires_at > b.expires_at",
      );
      return rows.length > 0;
    });
    const events = await fetch(`${url}/api/events`);
    let heard = "";
    void (async () => {
      for await (const part of events.body!) heard += Buffer.from(part).toString();
    })().catch(() => {});
    await rig.until("the first frames", async () => /event: reset/.test(heard));
    heard = "";
    await rig.rows(RESTORE);
    await running.complaint(/the database lacks what was committed/);
    await whole();
    // Who reads events is told to read the state again, and hears what comes then.
    await rig.until("the reset", async () => {
      trade();
      return /event: reset\ndata: .*went back/.test(heard);
    });
    heard = "";
    trade();
    await rig.until("a change", async () => /event: change/.test(heard));
    await events.body!.cancel().catch(() => {});
    await whole();
  });

  it("ends with all that happened, proven", async () => {
    await rig.verify(0);
    assert.equal((await running.stop()).code, 0);
  });

  it("drops the tables under it, as a restore with --clean does: it ends and says what to do", async () => {
    running = await rig.streams();
    await rig.rows("drop table hl_fills cascade");
    trade();
    const { code, stderr } = await running.finished();
    assert.equal(code, 7, stderr);
    assert.match(stderr, /^hlsync: .*hl_fills.*: the tables of hlsync are dropped or not restored yet; /m);
  });
});
