/**
 * `monitor`: the engine, to look at. On a terminal one live screen; else one line per committed change, or NDJSON with
 * `--json`. A slow reader loses lines and gets their number; it never slows the engine down. Where no address is named,
 * it looks at what the database knows, whoever fills it, and asks no venue.
 */

import { changes, type OutboxEvent, openOutbox } from "../../outputs/outbox.ts";
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
import { gatherStored } from "../../outputs/terminal/stored.ts";
import { Terminal } from "../../outputs/terminal/terminal.ts";
import { NETWORKS } from "../../protocol/limits.ts";
import { createLog, type Log } from "../../runtime/log.ts";
import { repeat } from "../../runtime/repeat.ts";
import { visible, visiblePainted } from "../../runtime/safeText.ts";
import { type AccountRow, type DatabaseStore, openStore } from "../../store/store.ts";
import type { Progress } from "../../sync/account/account.ts";
import type { ChangeEvent } from "../../sync/rows.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import type { Following } from "../compose.ts";
import { followUntilStopped } from "../following.ts";
import { DEMO_DATABASE } from "../lastDemo.ts";
import { type OpenDatabase, openReaders, openToRead, requireFollowable } from "../openDatabase.ts";
import { run } from "./run.ts";
import { chosenAccounts } from "./status.ts";
import { tail } from "./tail.ts";

export const monitor: Command = {
  name: "monitor",
  summary:
    "a live screen of accounts, or without --account of what a database knows; without a terminal, every change as it is committed",
  options: run.options.filter((name) => name !== "listen"),
  findsDemo: true,
  check: requireFollowable,
  run(context) {
    const onTerminal = isInteractive(context);
    if (looksOnly(context.options)) return onTerminal ? onStoredScreen(context) : tail.run(context);
    if (onTerminal) return onScreen(context);
    return followUntilStopped(asLines(context), { printing: "changes", sharing: false, serving: false });
  },
};

/** A demo is filled by its own process, and its venue is gone with it. */
const looksOnly = ({ db, account, database }: Context["options"]): boolean =>
  db && (database === DEMO_DATABASE || account.every(({ address }) => address === ""));

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
  const leave = () => live.stop();
  process.on("exit", leave);
  live.start();
  const looking = Promise.all([
    repeat(clock, GATHER_MS, over, () => live.look()),
    repeat(clock, TODAY_MS, over, () => live.readDay()),
  ]);
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

const STORED_MS = 1_000;
/** Events shown before those to come. */
const TAPE_FIRST = 200;
const TAPE_POLL_MS = 500;
/** Between two attempts to hear of changes while the database is away. */
const RETRY_MS = 1_000;

/** The screen of what a database knows. */
async function onStoredScreen(context: Context): Promise<number> {
  const { clock, signal } = context;
  const live = new LiveScreen(context);
  const leave = () => live.stop();
  process.on("exit", leave);
  live.start();
  try {
    const { store } = await openToRead(context);
    const outbox = openOutbox(store.database);
    const named = new Set((await chosenAccounts(context, store)).map(({ account }) => account));
    const sequences = context.options.account.length === 0 ? null : [...named];
    const after = new Map(
      [...(await outbox.heads())].filter(([sequence]) => sequences?.includes(sequence) ?? true),
    );
    live.addToTape(await outbox.readLast(after, TAPE_FIRST));
    const look = () => live.lookInto(store, () => chosenAccounts(context, store));
    const listen = async () => {
      const pages = changes({ outbox, after, sequences, clock, signal, pollMs: TAPE_POLL_MS });
      for await (const events of pages) live.addToTape(events);
    };
    await look();
    await live.readDay();
    await Promise.all([
      repeat(clock, STORED_MS, signal, look),
      repeat(clock, TODAY_MS, signal, () => live.readDay()),
      repeat(clock, RETRY_MS, signal, () => listen().catch(() => {})),
    ]);
    return EXIT.ok;
  } finally {
    process.off("exit", leave);
    leave();
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

  /** Takes from the database what it knows now; while it does not answer, what is shown grows old. */
  async lookInto(store: DatabaseStore, accounts: () => Promise<readonly AccountRow[]>): Promise<void> {
    this.#store = store;
    const { clock, signal } = this.#context;
    try {
      this.#state = {
        accounts: await gatherStored(store, await accounts(), this.#today, clock.now()),
        weight: null,
        starting: "no account is in this database yet: hlsync run --account 0x… fills it",
        database: store.database.describe(),
      };
    } catch (error) {
      if (signal.aborted) return;
      this.log.warn("the database does not answer", { error });
      const down = this.#state.accounts.map((account) => ({ ...account, word: "down" as const }));
      this.#state = { ...this.#state, accounts: down };
    }
    this.#terminal.refresh();
  }

  addToTape(events: readonly OutboxEvent[]): void {
    const told = events.map((event) => ({ ...event, id: String(event.id) }) as ChangeEvent);
    addToTape(this.#tape, told);
    this.#terminal.refresh();
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
    for (const { address } of this.#state.accounts) {
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
