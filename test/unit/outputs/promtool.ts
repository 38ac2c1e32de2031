/** promtool, the checker that comes with Prometheus, where it is installed. */
import { spawnSync } from "node:child_process";

export const NO_PROMTOOL = "promtool is not in the PATH (it is in Debian's package prometheus)";

/** Null where there is none. */
export const findPromtool = (): string | null =>
  spawnSync("promtool", ["--version"]).status === 0 ? "promtool" : null;
