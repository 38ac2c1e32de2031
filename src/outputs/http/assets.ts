/**
 * The dashboard's files, bundled (docs/decisions/0015-dashboard-is-bundled.md). Guarantees: only the files found at the start are
 * served; each carries an ETag, so that a reload moves no bytes; in a checkout the bundle is never older than its sources.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { ConfigError, errorText } from "../../errors.ts";
import { packageFile } from "../../runtime/packageFile.ts";
import type { Reply } from "./answer.ts";
import type { Handler } from "./server.ts";

const FOLDER = packageFile("dashboard/");
const BUNDLE = new URL("dist/", FOLDER);
/** In a checkout; the package has the bundle alone. */
const BUILDER = new URL("build.ts", FOLDER);

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** The files of the page of a Supabase project. */
export async function projectBundle(): Promise<URL> {
  await renewBundle("project");
  return new URL("supabase/", BUNDLE);
}

export async function dashboardAssets(): Promise<[string, Handler][]> {
  await renewBundle("server");
  return readdirSync(BUNDLE)
    .filter((name) => !name.startsWith(".") && extension(name) in TYPES)
    .map((name) => [
      name === "index.html" ? "GET /" : `GET /${name}`,
      file(readFileSync(new URL(name, BUNDLE)), extension(name)),
    ]);
}

/** In a checkout; a package has its bundles. Each is built when it is wanted: a start needs one of them. */
async function renewBundle(page: "server" | "project"): Promise<void> {
  if (!existsSync(BUILDER)) return;
  try {
    const builder: { isOutdated(name: string): boolean; buildPage(name: string): Promise<void> } =
      await import(BUILDER.href);
    if (builder.isOutdated(page)) await builder.buildPage(page);
  } catch (error) {
    throw new ConfigError(
      `the dashboard cannot be built, npm ci installs what it needs: ${errorText(error)}`,
    );
  }
}

function file(body: Buffer, kind: string): Handler {
  const etag = `"${createHash("sha256").update(body).digest("base64")}"`;
  return ({ headers }): Reply => {
    const isKnown = headers["if-none-match"]?.includes(etag) ?? false;
    return {
      status: isKnown ? 304 : 200,
      type: TYPES[kind]!,
      body: isKnown ? "" : body,
      headers: { etag, "cache-control": "no-cache" },
    };
  };
}

const extension = (name: string): string => name.slice(name.lastIndexOf(".") + 1);
