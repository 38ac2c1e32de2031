/**
 * Bundles the page into `dashboard/dist`, and the one of a Supabase project, with its client, into `dashboard/dist/supabase`: for the package before it is packed, and in a checkout when the server finds the
 * sources newer than the bundle (docs/decisions/0015-dashboard-is-bundled.md). Guarantees: a file is replaced as a whole,
 * so several processes may build at once.
 */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { build } from "esbuild";

const SOURCES = new URL("src/", import.meta.url);
const BUNDLE = new URL("dist/", import.meta.url);
/** What the page of a project runs itself: the reads of the server. */
const READS = new URL("../src/outputs/http/", import.meta.url);

export async function buildDashboard(): Promise<void> {
  mkdirSync(new URL("supabase/", BUNDLE), { recursive: true });
  await bundle(["main.tsx", "style.css"], "");
  await bundle(["supabase.tsx", "style.css"], "supabase/");
  for (const name of ["index.html", "icon.svg", "supabase/icon.svg"])
    replace(name, (temporary) => copyFileSync(new URL(name.replace("supabase/", ""), SOURCES), temporary));
  const page = readFileSync(new URL("index.html", SOURCES), "utf8")
    .replace("main.js", "supabase.js")
    .replace(/<noscript>.*<\/noscript>/, "<noscript>This page needs JavaScript.</noscript>");
  replace("supabase/index.html", (temporary) => writeFileSync(temporary, page));
}

async function bundle(entryPoints: string[], folder: string): Promise<void> {
  const { outputFiles } = await build({
    entryPoints,
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
  for (const { path, contents } of outputFiles)
    replace(`${folder}${path.slice(path.search(/[^\\/]+$/))}`, (temporary) =>
      writeFileSync(temporary, contents),
    );
}

function replace(name: string, write: (temporary: URL) => void): void {
  const temporary = new URL(`${name}.${process.pid}.part`, BUNDLE);
  write(temporary);
  renameSync(temporary, new URL(name, BUNDLE));
}

/** Whether the bundle is missing, or older than what it is made of. */
export function isOutdated(): boolean {
  const builtMs = statSync(new URL("supabase/index.html", BUNDLE), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = [SOURCES, READS].flatMap((folder) =>
    readdirSync(folder).map((name) => new URL(name, folder)),
  );
  return [...sources, new URL(import.meta.url)].some((url) => statSync(url).mtimeMs > builtMs);
}

const directory = (url: URL): string => decodeURIComponent(url.pathname.replace(/^\/([A-Za-z]:)/, "$1"));

if (import.meta.main) await buildDashboard();
