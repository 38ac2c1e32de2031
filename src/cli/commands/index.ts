/** Every command of the program; a new one is one line here. */
import type { Command } from "../command.ts";
import { access, members, realtime } from "./access.ts";
import { alerts } from "./alerts.ts";
import { backfill } from "./backfill.ts";
import { completion } from "./completion.ts";
import { demo } from "./demo.ts";
import { doctor } from "./doctor.ts";
import { exportCommand } from "./export.ts";
import { health } from "./health.ts";
import { init } from "./init.ts";
import { migrate } from "./migrate.ts";
import { monitor } from "./monitor.ts";
import { quarantine } from "./quarantine.ts";
import { run } from "./run.ts";
import { simulate } from "./simulate.ts";
import { status } from "./status.ts";
import { sync } from "./sync.ts";
import { tail } from "./tail.ts";
import { uninstall } from "./uninstall.ts";
import { verify } from "./verify.ts";
import { webhooks } from "./webhooks.ts";

/** In the order of `--help`. */
export const COMMANDS: readonly Command[] = [
  run,
  monitor,
  sync,
  backfill,
  verify,
  status,
  health,
  tail,
  exportCommand,
  doctor,
  alerts,
  webhooks,
  quarantine,
  init,
  migrate,
  access,
  members,
  realtime,
  uninstall,
  simulate,
  demo,
  completion,
];
