/**
 * Can the embedded database be kept in the folder? Guarantees: makes nothing in it; an existing one is opened by the
 * caller. The copy of PostgreSQL that some installations need (store/embeddedBinaries.ts) may be made.
 */
import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { errorText } from "../../errors.ts";
import { postgresBinaries } from "../../store/embeddedBinaries.ts";
import { hasEmbeddedDatabase } from "../../store/embeddedFolder.ts";
import { EXIT } from "../command.ts";
import { type Finding, fail, note, ok, warn } from "./finding.ts";

/** An empty database takes 40 MB and a million fills about 1 GB. */
const ROOM_BYTES = 1_000_000_000;

/** The findings about the folder and what is needed to run a server in it. */
export function checkEmbeddedFolder(option: string): Finding[] {
  const folder = resolve(option);
  const existing = nearestExisting(folder);
  const findings: Finding[] = [];
  try {
    postgresBinaries(process.getuid?.() === 0);
    accessSync(existing, constants.W_OK);
    if (!statSync(existing).isDirectory()) throw new Error(`${existing} is not a folder`);
    if (!hasEmbeddedDatabase(folder)) {
      const why = "an embedded PostgreSQL is made there at the first start";
      findings.push(note("database", `no database in ${folder} yet`, why));
    }
  } catch (error) {
    const message = errorText(error);
    const fix = "--database <folder that this user may write>, or --database postgres://… (DATABASE_URL)";
    return [fail("database", EXIT.usage, message, "nothing can be stored", fix)];
  }
  const disk = statfsSync(existing);
  const free = disk.bavail * disk.bsize;
  const says = `${(free / 1e9).toFixed(1)} GB free for ${folder}`;
  const why = "PostgreSQL stops when the disk is full";
  findings.push(
    free >= ROOM_BYTES ? ok("disk", says) : warn("disk", says, why, "make room, or --database elsewhere"),
  );
  return findings;
}

function nearestExisting(path: string): string {
  let folder = path;
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}
