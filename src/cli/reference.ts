/** `docs/configuration.md`, made from the option table and the commands. Pure. */
import { COMMON_OPTIONS, OPTIONS, type OptionName, optionKey } from "../config.ts";
import type { Command } from "./command.ts";

const HEAD = `# Configuration

Every option is a flag, most are an environment variable too, and all are keys of the config file. Where several
speak, the first of these wins: flag, environment, \`.env\` in the working folder, config file, default.

\`hlsync init\` writes a commented config file and \`.env.example\`. The file is JSON; \`//\` comments and a comma at the
end are allowed; a list may be an array (\`"account": ["0x…=main", "0x…"]\`). An unknown key or a bad value ends the program
with exit code 2 and one line that names it. \`null\` in the file is as good as nothing. \`demo\` takes its own options from flags
alone, so that nothing simulated gets into a database that is set up for a real account.

A \`<date>\` is \`2026-11-30\`, \`2026-11-30T07:00\`, \`2026-11-30T07:00+01:00\` or Unix milliseconds (0, or of 2023 and later). Without a
zone it is UTC, as are all times that hlsync prints. A \`--since\` in the future is refused.
An alias has no comma, \`=\`, \`+\` or control character, and does not begin with \`0x\`.

Secrets (the password in a database URL, the addresses of alert channels) belong into the environment or \`.env\`, not into
a config file and not on a command line, which other users of the machine can read. They are masked in every log and error.

This page is generated from \`src/config.ts\` and the commands; a test holds the two together
(\`HLSYNC_WRITE=1 node test/unit/cli/reference.test.ts\` renews it).
`;

const cell = (text: string): string => text.replaceAll("|", "\\|");
const code = (text: string): string => (text === "" ? "" : `\`${cell(text)}\``);

function optionRow(name: OptionName, commands: readonly Command[]): string {
  const { flag, env, help, fallback, parse, repeatable, secret } = OPTIONS[name];
  const choices = parse.choices ?? [];
  const notes = [
    help,
    // Help that is itself the list of choices need not repeat it.
    ...(choices.length > 0 && !choices.every((choice) => help.includes(choice))
      ? [`one of ${choices.join(", ")}`]
      : []),
    ...(repeatable ? ["commas separate several"] : []),
    ...(secret ? ["**secret**"] : []),
  ];
  const takers = commands.filter(({ options }) => options.includes(name)).map((command) => command.name);
  const where = COMMON_OPTIONS.includes(name) ? "all" : takers.join(", ");
  const shown = flag.includes("<") ? fallback : "";
  return `| ${code(flag)} | ${env.map(code).join(", ")} | ${code(optionKey(name))} | ${code(shown)} | ${cell(notes.join("; "))} | ${where} |`;
}

/** The whole page. */
export function configurationReference(commands: readonly Command[]): string {
  const names = Object.keys(OPTIONS) as OptionName[];
  const common = names.filter((name) => COMMON_OPTIONS.includes(name));
  const own = names.filter((name) => !COMMON_OPTIONS.includes(name));
  return [
    HEAD,
    "## Commands",
    "",
    "| Command | Does |",
    "|---|---|",
    ...commands.map(
      ({ name, args, summary }) => `| ${code(args ? `${name} ${args}` : name)} | ${cell(summary)} |`,
    ),
    "",
    "## Options",
    "",
    "| Flag | Environment | Key | Default | Meaning | Commands |",
    "|---|---|---|---|---|---|",
    ...[...own, ...common].map((name) => optionRow(name, commands)),
    "",
    "`NO_COLOR`, set to anything, is `--no-color`.",
    "",
    "## Exit codes",
    "",
    "0 ok · 1 unexpected · 2 usage or configuration · 3 migration pending or incompatible · 4 drift or gap found ·",
    "5 venue unreachable, rate-limited or refusing a request · 6 database unreachable · 7 database refuses · 130/143 on signals.",
    "",
  ].join("\n");
}
