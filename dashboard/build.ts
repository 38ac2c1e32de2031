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

interface PageKind {
  /** Below the bundle. */
  folder: string;
  entry: string;
  /** Folders that it is made of. */
  sources: readonly URL[];
  html(ofServer: string): string;
}

/** The one that hlsync serves, and the one of a Supabase project, which runs the reads of the server itself. */
const PAGES = {
  server: { folder: "", entry: "main.tsx", sources: [SOURCES], html: (ofServer) => ofServer },
  project: {
    folder: "supabase/",
    entry: "supabase.tsx",
    sources: [SOURCES, new URL("../src/outputs/http/", import.meta.url)],
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
  await bundle([entry, "style.css"], folder);
  replace(`${folder}icon.svg`, (temporary) => copyFileSync(new URL("icon.svg", SOURCES), temporary));
  const page = html(readFileSync(new URL("index.html", SOURCES), "utf8"));
  replace(`${folder}index.html`, (temporary) => writeFileSync(temporary, page));
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

/** Whether a page's bundle is missing, or older than what it is made of. */
export function isOutdated(name: PageName): boolean {
  const { folder, sources }: PageKind = PAGES[name];
  const built = new URL(`${folder}index.html`, BUNDLE);
  const builtMs = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const files = sources.flatMap((from) => readdirSync(from).map((file) => new URL(file, from)));
  return [...files, new URL(import.meta.url)].some((url) => statSync(url).mtimeMs > builtMs);
}

const directory = (url: URL): string => decodeURIComponent(url.pathname.replace(/^\/([A-Za-z]:)/, "$1"));

if (import.meta.main) for (const name of Object.keys(PAGES) as PageName[]) await buildPage(name);
