/**
 * Loaded before a test file. Guarantees: its process ends soon after its last test, as a failure that names what kept it
 * alive: the test runner waits for a process without limit, and one timer that a failed test left would hold the whole check.
 */
import { after } from "node:test";

/** Long enough for sockets and processes that are being closed. */
const LINGERING_MS = 20_000;

after(() => {
  setTimeout(() => {
    process.stderr.write(
      `still running ${LINGERING_MS / 1_000} s after the last test: ${process.getActiveResourcesInfo().join(", ")}\n`,
    );
    process.exit(1);
  }, LINGERING_MS).unref();
});
