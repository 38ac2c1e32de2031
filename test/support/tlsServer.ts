/** A server of a test's own that offers TLS, with a certificate of `localhost` that nobody signed. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startServer, type TestServer, temporaryFolder } from "./postgres.ts";

/** `hba`: lines that its pg_hba.conf begins with. */
export async function startTlsServer(hba: readonly string[] = []): Promise<TestServer> {
  const server = await startServer("embedded");
  const files = temporaryFolder();
  try {
    const [cert, key] = [join(files.path, "server.crt"), join(files.path, "server.key")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        ...subject,
        "-keyout",
        key,
        "-out",
        cert,
      ],
      { stdio: "ignore" },
    );
    const write = (name: string, text: string, how = ">") =>
      server.admin.query(
        `copy (select unnest(string_to_array($$${text.trim()}$$, E'\\n'))) to program 'umask 077; cat ${how} ${name}'`,
      );
    await write("server.crt", readFileSync(cert, "utf8"));
    await write("server.key", readFileSync(key, "utf8"));
    if (hba.length > 0) {
      await write("pg_hba.new", hba.join("\n"));
      await server.admin.query(
        "copy (select 1) to program 'cat > /dev/null; cat pg_hba.conf >> pg_hba.new; mv pg_hba.new pg_hba.conf'",
      );
    }
    await server.admin.query("alter system set ssl = on");
    await server.admin.query("select pg_reload_conf()");
    // Told to the server's parent by a signal; new connections have it once the parent does.
    for (;;) {
      const [row] = await server.admin.query("select current_setting('ssl') = 'on' as ready");
      if (row?.ready) return server;
    }
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    files.remove();
  }
}
