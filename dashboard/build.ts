/**
 * Bundles the page into `dashboard/dist`: for the package before it is packed, and in a checkout when the server finds the
 * sources newer than the bundle (docs/decisions/0015-dashboard-is-bundled.md). Guarantees: a file is replaced as a whole,
 * so several processes may build at once.
 */
import { copyFileSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const SOURCES = new URL("src/", import.meta.url);
const BUNDLE = new URL("dist/", import.meta.url);
/** Served as they are written. */
const PLAIN = ["index.html", "icon.svg"];

export async function buildDashboard(): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: ["main.tsx", "style.css"],
    absWorkingDir: directory(SOURCES),
    bundle: true,
    minify: true,
    write: false,
    outdir: "unused",
    legalComments: "none",
    format: "esm",
    target: "es2023",
    jsx: "automatic",
    jsxImportSource: "preact",
  });
  mkdirSync(BUNDLE, { recursive: true });
  for (const name of PLAIN) replace(name, (temporary) => copyFileSync(new URL(name, SOURCES), temporary));
  for (const { path, contents } of outputFiles)
    replace(path.slice(path.search(/[^\\/]+$/)), (temporary) => writeFileSync(temporary, contents));
}

function replace(name: string, write: (temporary: URL) => void): void {
  const temporary = new URL(`.${name}.${process.pid}`, BUNDLE);
  write(temporary);
  renameSync(temporary, new URL(name, BUNDLE));
}

/** Whether the bundle is missing, or older than what it is made of. */
export function isOutdated(): boolean {
  const builtMs = statSync(new URL("main.js", BUNDLE), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(SOURCES).map((name) => new URL(name, SOURCES));
  return [...sources, new URL(import.meta.url)].some((url) => statSync(url).mtimeMs > builtMs);
}

const directory = (url: URL): string => decodeURIComponent(url.pathname.replace(/^\/([A-Za-z]:)/, "$1"));

if (import.meta.main) await buildDashboard();
