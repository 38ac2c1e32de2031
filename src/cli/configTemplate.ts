/**
 * What `init` writes: every option of `run` with its meaning and default, as comments. Pure. Guarantees: an option that
 * is a secret is named in `.env.example` only, without a value; what is written can be read back by `--config`.
 */
import { OPTIONS, type OptionName, optionKey } from "../config.ts";

export const CONFIG_FILE = "hlsync.jsonc";
export const ENV_FILE = ".env.example";

/** Values to write uncommented, by option. */
export type Given = Partial<Record<OptionName, string | string[]>>;

/** Options that say how one call goes, not how hlsync is set up. */
const OF_ONE_CALL: ReadonlySet<OptionName> = new Set(["config", "json", "color", "since"]);

const settings = (names: readonly OptionName[]): OptionName[] =>
  names.filter((name) => !OF_ONE_CALL.has(name));

/** JSON with comments. */
export function configText(names: readonly OptionName[], given: Given): string {
  const entries = settings(names)
    .filter((name) => !OPTIONS[name].secret)
    .map((name) => {
      const { help, env } = OPTIONS[name];
      const value = given[name];
      const line = `${JSON.stringify(optionKey(name))}: ${JSON.stringify(value ?? exampleOf(name))},`;
      const sources = [OPTIONS[name].flag.split(" ")[0], ...env].join(", ");
      return [`  // ${help} (${sources})`, `  ${value === undefined ? "// " : ""}${line}`].join("\n");
    });
  return [
    `// hlsync: its options with their defaults; take away the slashes before what you change.`,
    `// Read with --config ${CONFIG_FILE}, or HLSYNC_CONFIG=${CONFIG_FILE} in .env. A flag wins over the environment,`,
    "// that over .env, that over this file. Passwords and tokens do not belong here: they go into .env.",
    "{",
    entries.join("\n\n"),
    "}",
    "",
  ].join("\n");
}

/** The default as JSON; a list where several may be given. */
function exampleOf(name: OptionName): unknown {
  const { fallback, repeatable, flag } = OPTIONS[name];
  if (name === "account") return ["0x…=main"];
  if (!flag.includes("<")) return fallback === "true";
  if (repeatable) return fallback === "" ? [] : fallback.split(",");
  return /^\d+$/.test(fallback) ? Number(fallback) : fallback;
}

const ENV_HEAD = [
  "# Copy to .env (and keep that out of version control). The environment wins over this file.",
  `HLSYNC_CONFIG=${CONFIG_FILE}`,
];

/** Every secret by name, empty. */
export function envText(names: readonly OptionName[]): string {
  const secrets = settings(names)
    .filter((name) => OPTIONS[name].secret)
    .flatMap((name) => ["", `# ${OPTIONS[name].help}`, `# ${OPTIONS[name].env[0]}=`]);
  return [...ENV_HEAD, ...secrets, ""].join("\n");
}
