/**
 * `page`: the dashboard of a Supabase project as a folder of files, for any host of files. Guarantees: no key but a publishable one
 * goes into it; the page may talk to that project only (its content policy).
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../errors.ts";
import { projectBundle } from "../../outputs/http/assets.ts";
import { contentPolicy } from "../../outputs/http/server.ts";
import { type Command, EXIT } from "../command.ts";

export const page: Command = {
  name: "page",
  args: "<folder> <project> <key>",
  summary: "write the dashboard of a Supabase project into a folder, for any host of files",
  options: ["schema"],
  check({ args: [folder = "", project = "", key = ""] }) {
    if (folder === "") throw new ConfigError("page: name the folder to write into");
    originOf(project);
    checkKey(key);
  },
  async run({ args: [folder = "", project = "", key = ""], options: { schema }, print }) {
    const url = originOf(project);
    const bundle = fileURLToPath(await projectBundle());
    mkdirSync(folder, { recursive: true });
    cpSync(bundle, folder, { recursive: true });
    const policy = contentPolicy([url, url.replace(/^http/, "ws")]);
    const html = readFileSync(join(bundle, "index.html"), "utf8").replace(
      '<meta charset="utf-8">',
      `<meta charset="utf-8">\n<meta http-equiv="content-security-policy" content="${policy}">`,
    );
    writeFileSync(join(folder, "index.html"), html);
    writeFileSync(join(folder, "supabase.json"), `${JSON.stringify({ url, key, schema })}\n`);
    print(`${folder} has the dashboard of ${url}: serve it with any host of files, over https`);
    return EXIT.ok;
  },
};

/** `https://<ref>.supabase.co`; plain http only for this machine. */
function originOf(project: string): string {
  const { protocol, hostname, origin } = URL.parse(project) ?? {};
  const isLocal = hostname === "localhost" || hostname === "127.0.0.1";
  if (origin === undefined || (protocol !== "https:" && !(protocol === "http:" && isLocal)))
    throw new ConfigError("page: the project is its API URL: https://<ref>.supabase.co");
  return origin;
}

/** Whoever opens the page can read the key: a secret one would open every row to him. Never quotes it. */
function checkKey(key: string): void {
  if (/^sb_secret_/.test(key) || roleOf(key) === "service_role")
    throw new ConfigError(
      "page: this is a secret key, which opens every row: take the publishable (anon) key",
    );
  if (!/^sb_publishable_[\w-]+$/.test(key) && roleOf(key) !== "anon")
    throw new ConfigError(
      "page: expected the publishable key (sb_publishable_…) or the anon key of the project",
    );
}

/** Of a key of the older kind, a token. */
function roleOf(key: string): unknown {
  const [, claims, signature] = key.split(".");
  if (claims === undefined || signature === undefined) return null;
  try {
    return (JSON.parse(Buffer.from(claims, "base64url").toString()) as { role?: unknown } | null)?.role;
  } catch {
    return null;
  }
}
