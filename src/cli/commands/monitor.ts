/**
 * `monitor`: the engine, to look at. On a terminal one live screen; else one line per committed change, or NDJSON with
 * `--json`. A reader that is too slow loses lines and is told how many; it never slows the engine down.
 */

import { gather, noteProgress, type ProgressBook, readToday } from "../../outputs/terminal/gather.ts";
import { keysOf, press, SHOWN_FIRST } from "../../outputs/terminal/keys.ts";
import { createLineWriter } from "../../outputs/terminal/lineWriter.ts";
import {
  append,
  NOTES_MAX,
  type Note,
  type Screen,
  TAPE_MAX,
  type Today,
} from "../../outputs/terminal/model.ts";
import { render } from "../../outputs/terminal/screen.ts";
import { Terminal } from "../../outputs/terminal/terminal.ts";
import { NETWORKS } from "../../protocol/limits.ts";
import { createLog } from "../../runtime/log.ts";
import { visible, visiblePainted } from "../../runtime/safeText.ts";
import { type DatabaseStore, openStore } from "../../store/store.ts";
import type { ChangeEvent } from "../../sync/events.ts";
import { type Command, type Context, requireAccounts } from "../command.ts";
import { type Following, openReaders } from "../wire.ts";
import { followUntilStopped, run } from "./run.ts";

export const monitor: Command = {
  name: "monitor",
  summary: "follow accounts on a live screen; without a terminal, print every change as it is committed",
  options: run.options.filter((name) => name !== "listen"),
  findsDemo: true,
  check: ({ options }) => void requireAccounts(options),
  run: (context) =>
    isInteractive(context)
      ? onScreen(context)
      : followUntilStopped(asLines(context), { printing: "changes", sharing: false, serving: false }),
};

const isInteractive = ({ options }: Context): boolean =>
  !options.json &&
  process.stdout.isTTY === true &&
  process.stdin.isTTY === true &&
  process.env.TERM !== "dumb";

/** The same context with a `print` that a slow reader cannot make grow. */
function asLines(context: Context): Context {
  const shown = context.color ? visiblePainted : visible;
  const dropped = (count: number) =>
    context.options.json
      ? JSON.stringify({ type: "lines.dropped", count })
      : `… ${count} lines dropped: the reader is too slow`;
  const writer = createLineWriter(process.stdout, dropped, { shown });
  return { ...context, print: (line) => void writer.offer(line) };
}

/** The engine is looked at this often; committed changes show at once. */
const GATHER_MS = 500;
const TODAY_MS = 5_000;
const DRAWDOWN_DAYS_MS = 30 * 86_400_000;

async function onScreen(context: Context): Promise<number> {
  const { options, clock, color, signal } = context;
  const book: ProgressBook = new Map();
  const today = new Map<string, Today>();
  const tape: ChangeEvent[] = [];
  const notes: Note[] = [];
  let shown = SHOWN_FIRST;
  let state: Pick<Screen, "accounts" | "weight" | "starting" | "database"> = {
    accounts: [],
    weight: null,
    starting: "starting …",
    database: "",
  };
  /** What is shown while paused. */
  let frozen: { tape: ChangeEvent[]; accounts: Screen["accounts"] } | null = null;
  const { apiUrl } = options;
  const network = apiUrl === NETWORKS[options.network].apiUrl ? options.network : new URL(apiUrl).host;

  const terminal = new Terminal({
    input: process.stdin,
    output: process.stdout,
    clock,
    frame: (size) =>
      render({ ...state, ...shown, tape, notes, network, nowMs: clock.now(), ...frozen }, { ...size, color }),
    onBytes(text) {
      for (const key of keysOf(text)) {
        const next = press(shown, key, state.accounts.length);
        // The way every stop goes: in order the first time, at once the second.
        if (next === "quit") process.kill(process.pid, "SIGINT");
        else shown = next;
      }
      frozen = shown.paused ? (frozen ?? { tape: [...tape], accounts: state.accounts }) : null;
      terminal.refresh();
    },
  });

  // Logs would tear the screen: they become part of it, unless they go elsewhere anyway.
  const log = process.stderr.isTTY
    ? createLog({
        level: options.logLevel,
        json: false,
        clock,
        sink(text) {
          append(notes, [{ level: text.slice(13, 18).trim(), text }], NOTES_MAX);
          terminal.refresh();
        },
      })
    : context.log;

  let following: Following | null = null;
  let store: DatabaseStore | null = null;
  const look = () => {
    if (following === null || signal.aborted) return;
    const { engine, venue } = following;
    const { usedLastMinute, weightPerMinute, waiting } = venue.limiter.stats();
    state = {
      ...state,
      accounts: gather(engine, book, today, clock.now()),
      weight: { used: usedLastMinute, perMinute: weightPerMinute, waiting },
    };
    terminal.refresh();
  };
  const ended = new AbortController();
  const over = AbortSignal.any([signal, ended.signal]);
  const repeat = async (everyMs: number, work: () => Promise<void> | void): Promise<void> => {
    while (!over.aborted) {
      await work();
      await clock.sleep(everyMs, over).catch(() => {});
    }
  };
  const readDay = async () => {
    if (store === null) return;
    for (const { address } of options.account) {
      const nowMs = clock.now();
      try {
        const drawdown = await store.drawdownPct(address, nowMs - DRAWDOWN_DAYS_MS);
        today.set(address, await readToday(store.database, address, drawdown, nowMs));
      } catch {
        today.delete(address);
      }
    }
  };

  const leave = () => terminal.stop();
  process.on("exit", leave);
  terminal.start();
  const looking = Promise.all([repeat(GATHER_MS, look), repeat(TODAY_MS, readDay)]);
  try {
    return await followUntilStopped(
      { ...context, log },
      {
        printing: null,
        sharing: false,
        serving: false,
        onProgress: (progress) => noteProgress(book, progress, clock.now()),
        onFollowing(made, opened) {
          following = made;
          store = openStore(openReaders(opened).reads);
          state = {
            ...state,
            starting: "reaching the venue …",
            database: options.db ? opened.database.describe() : "no database",
          };
          made.feed.subscribe(({ applied }) => {
            append(tape, applied.events, TAPE_MAX);
            terminal.refresh();
          });
        },
      },
    );
  } finally {
    process.off("exit", leave);
    store = null;
    ended.abort();
    leave();
    await looking;
  }
}
