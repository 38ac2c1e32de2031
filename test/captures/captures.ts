/**
 * Where the real payloads are: beside the checkout, not in it, or where `HLSYNC_TEST_CAPTURES` says. Tests that need them are
 * skipped where they are absent.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const { HLSYNC_TEST_CAPTURES: named } = process.env;
const FOLDER = named ? pathToFileURL(`${named}/`) : new URL("../../../shared/captures/", import.meta.url);

/** For `node:test`'s `skip`: false, or why. */
export const withoutCaptures: false | string = existsSync(FOLDER)
  ? false
  : `no captured payloads at ${fileURLToPath(FOLDER)}`;

// biome-ignore lint/suspicious/noExplicitAny: captured payloads are what the tests find out the shape of
export type Any = any;

export const readCapture = (path: string): Any => JSON.parse(readFileSync(new URL(path, FOLDER), "utf8"));

/** The recorded answer of one `/info` request of the Python SDK's cassettes. */
export const cassette = (name: string): { request: Any; response: Any } =>
  readCapture(`python-sdk-cassettes/${name}.json`);

/** Objects of a file with one JSON value per line. */
export const readLines = (path: string): Any[] =>
  readFileSync(new URL(path, FOLDER), "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Any);

export const capturePath = (path: string): URL => new URL(path, FOLDER);
