/**
 * Completion scripts for shells, made from the commands and the option table. Pure. Guarantees: every command and every
 * option of it is offered, with its choices where it has a fixed set, and files where it takes one.
 */
import { COMMON_OPTIONS, OPTIONS, type OptionName } from "../config.ts";
import type { Command } from "./command.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

interface Flag {
  /** `--name` */
  long: string;
  help: string;
  /** What follows it; null for a switch. */
  value: { choices: readonly string[]; isFile: boolean } | null;
}

const flagOf = (name: OptionName): Flag => {
  const { flag, help, parse } = OPTIONS[name];
  const [long = "", placeholder] = flag.split(" ");
  const choices = parse.choices ?? [];
  const isFile = /file|dir/.test(placeholder ?? "");
  return { long, help, value: placeholder === undefined ? null : { choices, isFile } };
};

const flagsOf = (command: Command): Flag[] => [
  ...[...command.options, ...COMMON_OPTIONS].map(flagOf),
  { long: "--help", help: "show the options", value: null },
];

export const completionScript = (shell: Shell, commands: readonly Command[]): string =>
  ({ bash, zsh, fish })[shell](commands);

function bash(commands: readonly Command[]): string {
  const values = [...new Map(commands.flatMap(flagsOf).map(({ long, value }) => [long, value]))];
  const those = (wanted: (value: NonNullable<Flag["value"]>) => boolean): string =>
    values.flatMap(([long, value]) => (value !== null && wanted(value) ? [long] : [])).join("|");
  const cases = [
    ...values.flatMap(([long, value]) =>
      value === null || value.choices.length === 0
        ? []
        : [`    ${long}) COMPREPLY=($(compgen -W "${value.choices.join(" ")}" -- "$cur")); return ;;`],
    ),
    `    ${those(({ isFile }) => isFile)}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`,
    `    ${those(({ isFile, choices }) => !isFile && choices.length === 0)}) return ;;`,
  ];
  const words = commands.map(
    (command) =>
      `    ${command.name}) words="${flagsOf(command)
        .map(({ long }) => long)
        .join(" ")}" ;;`,
  );
  return [
    "# bash completion of hlsync: source it, or put it into ~/.local/share/bash-completion/completions/hlsync",
    "_hlsync() {",
    `  local cur="\${COMP_WORDS[COMP_CWORD]}" words=""`,
    `  case "\${COMP_WORDS[COMP_CWORD-1]}" in`,
    ...cases,
    "  esac",
    `  case "\${COMP_WORDS[1]}" in`,
    ...words,
    "  esac",
    `  [ "$COMP_CWORD" -eq 1 ] && words="${commands.map(({ name }) => name).join(" ")} --help --version"`,
    '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    "}",
    "complete -F _hlsync hlsync",
    "",
  ].join("\n");
}

/** Inside single quotes, and inside the brackets and colons of `_arguments`. */
const zshText = (text: string): string => text.replace(/[[\]:\\]/g, "\\$&").replaceAll("'", "'\\''");

function zsh(commands: readonly Command[]): string {
  const argument = ({ long, help, value }: Flag): string => {
    if (value === null) return `'*${long}[${zshText(help)}]'`;
    const action = value.isFile ? "_files" : value.choices.length > 0 ? `(${value.choices.join(" ")})` : " ";
    return `'*${long}[${zshText(help)}]:value:${action}'`;
  };
  return [
    "#compdef hlsync",
    "# zsh completion of hlsync: put it as _hlsync into a folder of $fpath",
    "_hlsync() {",
    "  local -a commands=(",
    ...commands.map(({ name, summary }) => `    '${name}:${zshText(summary)}'`),
    "  )",
    "  if (( CURRENT == 2 )); then _describe command commands; return; fi",
    "  local command=$words[2]",
    "  shift words; (( CURRENT-- ))",
    "  case $command in",
    ...commands.map(
      (command) => `    ${command.name}) _arguments ${flagsOf(command).map(argument).join(" ")} ;;`,
    ),
    "  esac",
    "}",
    'if [ "$funcstack[1]" = "_hlsync" ]; then _hlsync "$@"; else compdef _hlsync hlsync; fi',
    "",
  ].join("\n");
}

const fishText = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;

function fish(commands: readonly Command[]): string {
  const option = (command: Command, { long, help, value }: Flag): string => {
    const takes = value === null ? "" : value.isFile ? " -r -F" : " -x";
    const choices = value && value.choices.length > 0 ? ` -a ${fishText(value.choices.join(" "))}` : "";
    const when = `-n '__fish_seen_subcommand_from ${command.name}'`;
    return `complete -c hlsync ${when} -l ${long.slice(2)}${takes}${choices} -d ${fishText(help)}`;
  };
  return [
    "# fish completion of hlsync: put it into ~/.config/fish/completions/hlsync.fish",
    "complete -c hlsync -f",
    ...commands.map(
      ({ name, summary }) => `complete -c hlsync -n __fish_use_subcommand -a ${name} -d ${fishText(summary)}`,
    ),
    ...commands.flatMap((command) => flagsOf(command).map((flag) => option(command, flag))),
    "",
  ].join("\n");
}
