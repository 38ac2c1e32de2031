/**
 * The dashboard's files, as they are: plain modules that the browser reads without a build (docs/decisions/0008-dashboard-without-build.md). Guarantees: only
 * the files found at the start are served; each carries an ETag, so that a reload moves no bytes.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Handler, Reply } from "./server.ts";

const FOLDER = new URL("../../../dashboard/", import.meta.url);

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Modules of the one library that the page uses, by the names that its import map gives them. */
const LIBRARY: Record<string, string> = {
  "/vendor/preact.js": "preact",
  "/vendor/hooks.js": "preact/hooks",
};

interface Assets {
  routes: [string, Handler][];
  /** Content policy sources of the inline script of the page: the import map. */
  scriptSources: string[];
}

export function dashboardAssets(): Assets {
  const files = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => !name.endsWith(".d.ts") && extension(name) in TYPES);
  const routes = files.map((name): [string, Handler] => [
    name === "index.html" ? "GET /" : `GET /${name}`,
    file(readFileSync(new URL(name, FOLDER)), extension(name)),
  ]);
  for (const [path, specifier] of Object.entries(LIBRARY)) routes.push([`GET ${path}`, library(specifier)]);
  const page = readFileSync(new URL("index.html", FOLDER), "utf8");
  const inline = [...page.matchAll(/<script type="importmap">([\s\S]*?)<\/script>/g)].map(
    ([, body]) => body!,
  );
  return { routes, scriptSources: inline.map((body) => `'sha256-${digest(body)}'`) };
}

function library(specifier: string): Handler {
  const source = readFileSync(fileURLToPath(import.meta.resolve(specifier)), "utf8");
  // Its source map is not served.
  return file(Buffer.from(source.replace(/^\/\/# sourceMappingURL=.*$/m, "")), "js");
}

function file(body: Buffer, kind: string): Handler {
  const etag = `"${digest(body)}"`;
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
const digest = (content: string | Buffer): string => createHash("sha256").update(content).digest("base64");
