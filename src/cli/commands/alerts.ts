/** `alerts`: what is wrong now, which alerts were sent, and which are silenced for a while. */
import { ConfigError } from "../../errors.ts";
import {
  type AlertFilter,
  type AlertRow,
  addSilence,
  endSilence,
  readAlerts,
  readSilences,
  type Silence,
} from "../../outputs/alerts/alertStore.ts";
import { limitWords } from "../../outputs/alerts/limitWords.ts";
import { type Rule, ruleSet, SILENCEABLE } from "../../outputs/alerts/ruleSet.ts";
import { silencesOf } from "../../outputs/alerts/silenceOf.ts";
import { testAlert } from "../../outputs/alerts/testAlert.ts";
import { createHttpSend } from "../../outputs/delivery/httpSend.ts";
import { utcSecond } from "../../outputs/words.ts";
import type { Queryable } from "../../store/database.ts";
import { channelsOf, checkAlerts } from "../alertsOutput.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { openExisting, openToRead } from "../openDatabase.ts";

export const alerts: Command = {
  name: "alerts",
  args: "<action> [target]",
  summary: "list, rules, test, silence <rule|all> --for 1h, unsilence <number>",
  options: ["database", "alert", "alertTo", "account", "onlyAccount", "coin", "for", "limit"],
  check({ options, args: [action = "", target] }) {
    checkAlerts(options);
    const known = [...Object.keys(ACTIONS), ...Object.keys(WITHOUT_DATABASE)];
    if (!known.includes(action))
      throw new ConfigError(`alerts ${JSON.stringify(action)}: expected one of ${known.join(", ")}`);
    if (action === "silence" && !SILENCEABLE.includes(target ?? ""))
      throw new ConfigError(
        `alerts silence ${JSON.stringify(target ?? "")}: expected one of ${SILENCEABLE.join(", ")}`,
      );
    if (action === "unsilence" && !/^\d{1,15}$/.test(target ?? "")) throw noSilence(target);
  },
  async run(context) {
    const [action = "", target] = context.args;
    const alone = WITHOUT_DATABASE[action];
    if (alone !== undefined) return alone(context, target);
    const { database } = await (action === "list" ? openToRead : openExisting)(context);
    return ACTIONS[action]!(context, database, target);
  },
};

const WITHOUT_DATABASE: Record<
  string,
  (context: Context, target: string | undefined) => Promise<number> | number
> = {
  rules,
  test,
};

const ACTIONS: Record<
  string,
  (context: Context, db: Queryable, target: string | undefined) => Promise<number>
> = { list, silence, unsilence };

const noSilence = (target: string | undefined): ConfigError =>
  new ConfigError(`alerts unsilence ${JSON.stringify(target ?? "")}: expected the number of a silence`);

async function list({ options, print, clock }: Context, db: Queryable): Promise<number> {
  const named = options.onlyAccount.map(({ address }) => address);
  const filter = { accounts: named.length > 0 ? named : null, coin: options.coin };
  const rows = await readAlerts(db, options.limit, filter);
  const silences = (await readSilences(db, clock.now())).filter((silence) => touches(silence, filter));
  for (const row of rows) print(options.json ? JSON.stringify({ type: "alert", ...row }) : alertLine(row));
  for (const row of silences)
    print(options.json ? JSON.stringify({ type: "silence", ...row }) : silenceLine(row));
  if (rows.length + silences.length === 0 && !options.json) print("no alerts");
  return EXIT.ok;
}

/** The silence keeps something quiet that the filter lets through. */
const touches = ({ account, coin }: Silence, filter: AlertFilter): boolean =>
  (account === null || filter.accounts === null || filter.accounts.includes(account)) &&
  (coin === null || filter.coin === null || coin === filter.coin);

function alertLine({
  state,
  firedMs,
  startedMs,
  resolvedMs,
  message,
  account,
  notifiedMs,
}: AlertRow): string {
  const who = account === null ? "" : `  ${account.slice(0, 6)}…${account.slice(-4)}`;
  const untold = notifiedMs === null && state !== "pending" ? "  (silenced)" : "";
  return `${utcSecond(resolvedMs ?? firedMs ?? startedMs)}  ${state.padEnd(8)}${who}  ${message}${untold}`;
}

function silenceLine({ id, rule, account, coin, untilMs }: Silence): string {
  const what = [rule ?? "all rules", account ?? "", coin ?? ""].filter((part) => part !== "").join(" ");
  return `silence ${id}: ${what} until ${utcSecond(untilMs)}`;
}

function rules({ options, print }: Context): number {
  for (const rule of ruleSet(options.alert).rules.values())
    for (const line of options.json ? [JSON.stringify({ type: "rule", ...rule })] : ruleLines(rule))
      print(line);
  return EXIT.ok;
}

const ruleLines = (rule: Rule): string[] => [
  `${rule.name.padEnd(21)} ${rule.loudness.padEnd(6)} ${limitWords(rule)}`,
  `${" ".repeat(22)}${rule.help}`,
];

/** Sends a test through every channel, or through those of one kind. */
async function test(context: Context, target: string | undefined): Promise<number> {
  const { options, clock, print, signal } = context;
  const http = createHttpSend({ clock });
  try {
    const channels = channelsOf(context, http).filter(({ kind }) => target === undefined || kind === target);
    if (channels.length === 0)
      throw new ConfigError("alerts test: no such channel: use --alert-to or HLSYNC_ALERT_TO");
    let sent = true;
    for (const channel of channels) {
      const { error } = await channel.deliver(...testAlert(clock.now()), signal);
      sent &&= error === null;
      const { kind, label } = channel;
      print(
        options.json
          ? JSON.stringify({ type: "test", channel: kind, error })
          : `${label}: ${error ?? "delivered"}`,
      );
    }
    return sent ? EXIT.ok : EXIT.unexpected;
  } finally {
    http.close();
  }
}

async function silence(context: Context, db: Queryable, target: string | undefined): Promise<number> {
  const { options, clock, print } = context;
  const accounts = options.onlyAccount.length > 0 ? options.onlyAccount : [{ address: null }];
  const wishes = await silencesOf(db, { rule: target === "all" ? null : target!, coin: options.coin });
  const untilMs = clock.now() + options.for;
  for (const { address: account } of accounts)
    for (const wish of wishes) {
      const made = { ...wish, account, untilMs };
      const row = { id: await addSilence(db, made), ...made };
      print(options.json ? JSON.stringify({ type: "silence", ...row }) : silenceLine(row));
    }
  return EXIT.ok;
}

async function unsilence(
  { print, options }: Context,
  db: Queryable,
  target: string | undefined,
): Promise<number> {
  const id = Number(target);
  if (!(await endSilence(db, id))) throw noSilence(target);
  print(options.json ? JSON.stringify({ type: "unsilenced", id }) : `silence ${id} is over`);
  return EXIT.ok;
}
