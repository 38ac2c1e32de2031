/**
 * `monitor`: the engine, to look at. On a terminal one live screen; else one line per committed change, or NDJSON with
 * `--json`. A slow reader loses lines and gets their number; it never slows the engine down.
 */

import {
  gather,
  noteProgress,
  type ProgressBook,
  readNames,
  readToday,
} from "../../outputs/terminal/gather.ts";
import { keysOf, press, SHOWN_FIRST } from "../../outputs/terminal/keys.ts";
import { createLineWriter } from "../../outputs/terminal/lineWriter.ts";
import {
  addToTape,
  append,
  NOTES_MAX,
  type Note,
  type Screen,
  type Today,
} from "../../outputs/terminal/model.ts";
import { render } from "../../outputs/terminal/screen.ts";
import { Terminal } from "../../outputs/terminal/terminal.ts";
import { NETWORKS } from "../../protocol/limits.ts";
import { createLog, type Log } from "../../runtime/log.ts";
import { visible, visiblePainted } from "../../runtime/safeText.ts";
import { type DatabaseStore, openStore } from "../../store/store.ts";
import type { Progress } from "../../sync/account/account.ts";
import type { ChangeEvent } from "../../sync/events.ts";
import type { Command, Context } from "../command.ts";
import { type Following, type OpenDatabase, openReaders, requireFollowable } from "../compose.ts";
import { followUntilStopped, run } from "./run.ts";

export const monitor: Command = {
  name: "monitor",
  summary: "follow accounts on a live screen; without a terminal, print every change as it is committed",
  options: run.options.filter((name) => name !== "listen"),
  findsDemo: true,
  check: requireFollowable,
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
const NAMES_MS = 60_000;
const DRAWDOWN_DAYS_MS = 30 * 86_400_000;

async function onScreen(context: Context): Promise<number> {
  const { clock, signal } = context;
  const live = new LiveScreen(context);
  const ended = new AbortController();
  const over = AbortSignal.any([signal, ended.signal]);
  const repeat = async (everyMs: number, work: () => Promise<void> | void): Promise<void> => {
    while (!over.aborted) {
      await work();
      await clock.sleep(everyMs, over).catch(() => {});
    }
  };
  const leave = () => live.stop();
  process.on("exit", leave);
  live.start();
  const looking = Promise.all([repeat(GATHER_MS, () => live.look()), repeat(TODAY_MS, () => live.readDay())]);
  try {
    return await followUntilStopped(
      { ...context, log: live.log },
      {
        printing: null,
        sharing: false,
        serving: false,
        onProgress: (progress) => live.noteProgress(progress),
        onFollowing: (made, opened) => live.follow(made, opened),
      },
    );
  } finally {
    process.off("exit", leave);
    ended.abort();
    leave();
    await looking;
  }
}

/** What the screen shows, and the keys that change it. */
class LiveScreen {
  readonly #context: Context;
  /** Logs would tear the screen: they become part of it, unless they go elsewhere anyway. */
  readonly log: Log;
  readonly #terminal: Terminal;
  readonly #network: string;
  readonly #book: ProgressBook = new Map();
  readonly #today = new Map<string, Today>();
  readonly #tape: ChangeEvent[] = [];
  readonly #notes: Note[] = [];
  #names = new Map<string, string>();
  #namesMs = Number.NEGATIVE_INFINITY;
  #shown = SHOWN_FIRST;
  #state: Pick<Screen, "accounts" | "weight" | "starting" | "database"> = {
    accounts: [],
    weight: null,
    starting: "starting …",
    database: "",
  };
  /** What is shown while paused. */
  #frozen: { tape: ChangeEvent[]; accounts: Screen["accounts"] } | null = null;
  #following: Following | null = null;
  #store: DatabaseStore | null = null;

  constructor(context: Context) {
    const { options, clock } = context;
    const { apiUrl } = options;
    this.#context = context;
    this.#network = apiUrl === NETWORKS[options.network].apiUrl ? options.network : new URL(apiUrl).host;
    this.#terminal = new Terminal({
      input: process.stdin,
      output: process.stdout,
      clock,
      frame: (size) => render(this.#screen(), { ...size, color: context.color }),
      onBytes: (text) => this.#press(text),
    });
    this.log = process.stderr.isTTY
      ? createLog({
          level: options.logLevel,
          json: false,
          clock,
          sink: (text) => {
            append(this.#notes, [{ level: text.slice(13, 18).trim(), text }], NOTES_MAX);
            this.#terminal.refresh();
          },
        })
      : context.log;
  }

  start(): void {
    this.#terminal.start();
  }

  stop(): void {
    this.#store = null;
    this.#terminal.stop();
  }

  noteProgress(progress: Progress): void {
    noteProgress(this.#book, progress, this.#context.clock.now());
  }

  follow(made: Following, opened: OpenDatabase): void {
    const { options } = this.#context;
    this.#following = made;
    this.#store = openStore(openReaders(opened).reads);
    this.#state = {
      ...this.#state,
      starting: "reaching the venue …",
      database: options.db ? opened.database.describe() : "no database",
    };
    made.feed.subscribe(({ applied }) => {
      addToTape(this.#tape, applied.events);
      this.#terminal.refresh();
    });
  }

  /** Takes from the engine what it knows now. */
  look(): void {
    const { clock, signal } = this.#context;
    if (this.#following === null || signal.aborted) return;
    const { engine, venue } = this.#following;
    const { usedLastMinute, weightPerMinute, waiting } = venue.limiter.stats();
    this.#state = {
      ...this.#state,
      accounts: gather(engine, this.#book, this.#today, clock.now()),
      weight: { used: usedLastMinute, perMinute: weightPerMinute, waiting },
    };
    this.#terminal.refresh();
  }

  async readDay(): Promise<void> {
    const { clock } = this.#context;
    const store = this.#store;
    if (store === null) return;
    if (clock.now() - this.#namesMs > NAMES_MS) {
      this.#names = await readNames(store.database).catch(() => this.#names);
      if (this.#names.size > 0) this.#namesMs = clock.now();
    }
    for (const { address } of this.#following?.engine.status().accounts ?? []) {
      const nowMs = clock.now();
      try {
        const drawdown = await store.drawdownPct(address, nowMs - DRAWDOWN_DAYS_MS);
        this.#today.set(address, await readToday(store.database, address, drawdown, nowMs));
      } catch {
        this.#today.delete(address);
      }
    }
  }

  #screen(): Screen {
    const seen = { tape: this.#tape, notes: this.#notes, names: this.#names, network: this.#network };
    const nowMs = this.#context.clock.now();
    return { ...this.#state, ...this.#shown, ...seen, nowMs, ...this.#frozen };
  }

  #press(text: string): void {
    for (const key of keysOf(text)) {
      const next = press(this.#shown, key, this.#state.accounts.length);
      // The way every stop goes: in order the first time, at once the second.
      if (next === "quit") process.kill(process.pid, "SIGINT");
      else this.#shown = next;
    }
    const { accounts } = this.#state;
    this.#frozen = this.#shown.paused ? (this.#frozen ?? { tape: [...this.#tape], accounts }) : null;
    this.#terminal.refresh();
  }
}
