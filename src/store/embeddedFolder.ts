/**
 * The folder of an embedded database (store/embedded.ts says what lies in it). Guarantees: what is in the way is a
 * `ConfigError` of one line that names it; a folder that holds anything else is left as it is.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ConfigError } from "../errors.ts";

/** Who the server of root runs as. */
export const NOBODY = 65534;

/** Paths of one embedded database. */
export interface Layout {
  folder: string;
  data: string;
  secrets: string;
  pidFile: string;
  log: string;
}

export const layoutOf = (folder: string): Layout => ({
  folder,
  data: join(folder, "postgres"),
  secrets: join(folder, "postgres", "hlsync.json"),
  pidFile: join(folder, "postgres", "postmaster.pid"),
  log: join(folder, "postgres.log"),
});

/** Whether a database was ever made in `folder`. */
export const hasEmbeddedDatabase = (folder: string): boolean => existsSync(layoutOf(resolve(folder)).data);

/** Makes the folder, or checks that it is ours to use. */
export function prepareFolder(layout: Layout): void {
  const refuse = (why: string, cause?: unknown) =>
    new ConfigError(`cannot keep a database in ${layout.folder}: ${why} (--database, DATABASE_URL)`, {
      cause,
    });
  try {
    makeFolder(layout.folder);
    if (existsSync(layout.data)) readFileSync(layout.secrets);
    accessSync(layout.folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw refuse(obstacle(layout, cause as NodeJS.ErrnoException), cause);
  }
  if (existsSync(layout.data)) return;
  for (const name of readdirSync(layout.folder)) {
    const making = /^init-(\d+)-/.exec(name);
    if (making && !isAlive(Number(making[1])))
      rmSync(join(layout.folder, name), { recursive: true, force: true });
    else if (!making && !name.startsWith("postgres.log"))
      throw refuse(`it is not empty (${name}); give an empty or a new folder`);
  }
}

/** Level by level: Node's own way of making parents never ends where the system refuses with ENOENT, as in /proc. */
function makeFolder(folder: string): void {
  if (!existsSync(folder)) {
    makeFolder(dirname(folder));
    try {
      mkdirSync(folder);
    } catch (error) {
      // Another process was faster.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  if (!statSync(folder).isDirectory())
    throw Object.assign(new Error(`${folder} is a file`), { code: "ENOTDIR", path: folder });
}

/** What an error of the file system means here. */
function obstacle(layout: Layout, { code, path, message }: NodeJS.ErrnoException): string {
  const where = path === undefined || path === layout.folder ? "it" : path;
  if (code === "ENOTDIR" || code === "EEXIST") return `${where} is a file`;
  if (code === "EROFS") return "it is on a read-only file system";
  if (code === "ENOENT" && path === layout.secrets) return "it holds something else that is called postgres";
  if (code === "ENOENT" && path !== undefined) return `no folder can be made in ${dirname(path)}`;
  if (code !== "EACCES" && code !== "EPERM") return message;
  if (!existsSync(layout.data)) return "permission denied";
  const { uid } = statSync(layout.data);
  return uid === NOBODY
    ? "root made it, and its data belongs to the user that root's server runs as; run hlsync as root, or give a folder of your own"
    : `its data belongs to uid ${uid}; run hlsync as that user`;
}

/** Whether a process of this number runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
