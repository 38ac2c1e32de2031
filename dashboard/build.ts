/**
 * Bundles the page into `dashboard/dist`, and the one of a Supabase project, with its client, into `dashboard/dist/supabase`: for the package before it is packed, and in a checkout when the server finds the
 * sources newer than the bundle (docs/decisions/0015-dashboard-is-bundled.md). Guarantees: a file is replaced as a whole,
 * so several processes may build at once.
 */
import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SOURCES = new URL("src/", import.meta.url);
const BUNDLE = new URL("dist/", import.meta.url);

interface PageKind {
  /** Below the bundle. */
  folder: string;
  entry: string;
  html(ofServer: string): string;
}

/** The one that hlsync serves, and the one of a Supabase project, which runs the reads of the server itself. */
const PAGES = {
  server: { folder: "", entry: "main.tsx", html: (ofServer) => ofServer },
  project: {
    folder: "supabase/",
    entry: "supabase.tsx",
    html: (ofServer) =>
      ofServer
        .replace("main.js", "supabase.js")
        .replace(/<noscript>.*<\/noscript>/, "<noscript>This page needs JavaScript.</noscript>"),
  },
} as const satisfies Record<string, PageKind>;
export type PageName = keyof typeof PAGES;

export async function buildPage(name: PageName): Promise<void> {
  const { folder, entry, html }: PageKind = PAGES[name];
  mkdirSync(new URL(folder, BUNDLE), { recursive: true });
  const madeOf = await bundle([entry, "style.css"], folder);
  replace(`${folder}icon.svg`, (temporary) => copyFileSync(new URL("icon.svg", SOURCES), temporary));
  const page = html(readFileSync(new URL("index.html", SOURCES), "utf8"));
  replace(`${folder}index.html`, (temporary) => writeFileSync(temporary, page));
  const inputs = JSON.stringify([...madeOf, "index.html", "icon.svg", "../build.ts"]);
  replace(`${folder}${INPUTS}`, (temporary) => writeFileSync(temporary, inputs));
}

/** What a bundle was made of, from the folder of the sources: sources of the program are among it. Written last. */
const INPUTS = ".inputs.json";

/** Answers what it was made of, but for packages. */
async function bundle(entryPoints: string[], folder: string): Promise<string[]> {
  const { outputFiles, metafile } = await build({
    entryPoints,
    absWorkingDir: fileURLToPath(SOURCES),
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
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
  return Object.keys(metafile.inputs).filter((path) => !path.includes("node_modules/"));
}

function replace(name: string, write: (temporary: URL) => void): void {
  const temporary = new URL(`${name}.${process.pid}.part`, BUNDLE);
  write(temporary);
  renameSync(temporary, new URL(name, BUNDLE));
}

/** Whether a page's bundle is missing, or older than what it is made of. */
export function isOutdated(name: PageName): boolean {
  const { folder }: PageKind = PAGES[name];
  const list = new URL(`${folder}${INPUTS}`, BUNDLE);
  const builtMs = statSync(list, { throwIfNoEntry: false })?.mtimeMs;
  if (builtMs === undefined) return true;
  const inputs = JSON.parse(readFileSync(list, "utf8")) as string[];
  return inputs.some((path) => {
    const changedMs = statSync(new URL(path, SOURCES), { throwIfNoEntry: false })?.mtimeMs;
    return changedMs === undefined || changedMs > builtMs;
  });
}

if (import.meta.main) for (const name of Object.keys(PAGES) as PageName[]) await buildPage(name);
