import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cut, fit, line, span, width } from "../../../src/outputs/terminal/cells.ts";
import { keysOf, press, SHOWN_FIRST, type Shown } from "../../../src/outputs/terminal/keys.ts";
import {
  type AccountModel,
  addToTape,
  append,
  openNow,
  type Screen,
  streamLine,
  TAPE_MAX,
  VIEWS,
  worst,
} from "../../../src/outputs/terminal/model.ts";
import { age, money, render } from "../../../src/outputs/terminal/screen.ts";
import { Terminal } from "../../../src/outputs/terminal/terminal.ts";
import { printable } from "../../../src/runtime/safeText.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import type { ChangeEvent } from "../../../src/sync/rows.ts";
import { dashboardOf, orderEventOf, positionOf, T } from "../../contract/rows.ts";

const ESC = "\u001b";
const stripped = (text: string): string => text.replace(new RegExp(`${ESC}\\[[0-9;]*m`, "g"), "");

const fill = (change: Partial<ChangeEvent> = {}, data: Record<string, unknown> = {}): ChangeEvent => ({
  id: "1",
  key: "fill:1",
  type: "fill.created",
  account: "0xaa",
  timeMs: T,
  source: "stream",
  data: {
    coin: "BTC",
    side: "buy",
    size: "0.50",
    price: "83000.0",
    fee: "18.675",
    closed_pnl: "0.0",
    ...data,
  },
  ...change,
});

const account = (change: Partial<AccountModel> = {}): AccountModel => ({
  address: "0xaa",
  alias: "main",
  role: "active",
  phase: "live",
  feedAgeMs: 400,
  staleAfterMs: 30_000,
  word: "live",
  queued: 0,
  dropped: 0,
  reconnects: 0,
  lastReconcileMs: T - 5_000,
  healed: 0,
  unexplained: 0,
  snapshot: dashboardOf({
    asOfMs: T,
    healthScore: 72,
    healthStatus: "good",
    healthReason: "BTC is 3.5 daily moves from liquidation",
  }),
  positions: [
    positionOf({ liquidationDistancePct: "12.34" }),
    positionOf({ coin: "ETH", szi: "-4", positionValue: "9000" }),
  ],
  openOrders: [orderEventOf({ orderType: "Limit", tif: "Gtc" })],
  streams: [
    { name: "userFills", dex: "", word: "live", ageMs: 400, quiet: true },
    { name: "clearinghouseState", dex: "", word: "live", ageMs: 900, quiet: false },
    { name: "clearinghouseState", dex: "xyz", word: "stale", ageMs: 20_000, quiet: false },
  ],
  histories: [
    {
      stream: "fills",
      fromMs: 0,
      toMs: 0,
      rows: 0,
      active: false,
      completeSinceMs: 0,
      gaps: 0,
      horizonMs: null,
    },
  ],
  today: {
    closedPnl: "10",
    fees: "0.5",
    funding: "-1",
    net: "8.5",
    fills: 4,
    drawdownPct: "2.5",
    equity: [null, "100", "110", null, "105"],
  },
  ...change,
});

const screen = (change: Partial<Screen> = {}): Screen => ({
  ...SHOWN_FIRST,
  nowMs: T + 1_000,
  network: "mainnet",
  starting: null,
  accounts: [account()],
  tape: [fill()],
  notes: [],
  weight: { used: 120, perMinute: 1200, waiting: 0 },
  database: "postgres://localhost",
  names: new Map(),
  ...change,
});

test("every frame has exactly its rows of exactly its columns, at any size, in any view", () => {
  const wild = fc.string({ unit: "binary", maxLength: 30 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 260 }),
      fc.integer({ min: 1, max: 70 }),
      fc.constantFrom(...VIEWS),
      fc.boolean(),
      fc.boolean(),
      wild,
      fc.integer({ min: 0, max: 60 }),
      (columns, rows, view, color, help, text, count) => {
        const shown = screen({
          view,
          help,
          filter: count % 3 === 0 ? text : "",
          typing: count % 4 === 0,
          notes: [{ level: "warn", text }],
          tape: Array.from({ length: count }, (_, n) =>
            fill({ id: String(n) }, { coin: text, closed_pnl: "-1.5" }),
          ),
          accounts: [
            account({
              alias: text,
              positions: Array.from({ length: count }, () => positionOf({ coin: text })),
              snapshot:
                count % 5 === 0
                  ? null
                  : dashboardOf({ healthReason: text, healthScore: count % 2 === 0 ? null : 7 }),
            }),
          ],
        });
        const frame = render(shown, { columns, rows, color });
        assert.equal(frame.length, rows);
        for (const row of frame) {
          assert.equal(printable(stripped(row)), stripped(row), "nothing may move the cursor");
          assert.equal(width(stripped(row)), columns, JSON.stringify(row));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("the overview at 80×24 says what matters", () => {
  const text = render(screen(), { columns: 80, rows: 24, color: false }).join("\n");
  for (const expected of [
    "● live 0.4 s",
    "18:17:37 UTC",
    "equity 38,252.70",
    "health 72 good",
    "BTC is 3.5 daily moves from liquidation",
    "today net +8.50 = pnl +10.00 − fees 0.50 + funding −1.00",
    "positions 2",
    "12.3 %",
    "open orders 1",
    "Limit Gtc",
    "bought 0.5 BTC at 83000",
    "○state stale 20s",
    "complete since the beginning, 0 gaps",
    "weight 120/1200",
  ])
    assert.ok(text.includes(expected), `${expected}\n${text}`);
});

test("200 columns have room for the liquidation price, and for the period of the drawdown", () => {
  const held = screen({
    accounts: [account({ positions: [positionOf({ coin: "BTC", liquidationPrice: "61234.5" })] })],
  });
  const text = render(held, { columns: 200, rows: 50, color: false }).join("\n");
  assert.match(text, / liq +to liq /);
  assert.match(text, /61234\.5/);
  assert.match(text, /drawdown 30 d 2\.5 %/);
});

test("a tiny profit on the tape is not nothing", () => {
  const text = render(screen({ tape: [fill({}, { closed_pnl: "-0.0003" })] }), {
    columns: 80,
    rows: 24,
    color: false,
  });
  assert.match(text.join("\n"), /closed PnL -0\.0003/);
});

test("equity is a line with its range and its change, where there is room and more than one point", () => {
  const wide = { columns: 100, rows: 40, color: false };
  const text = render(screen(), wide).join("\n");
  assert.match(text, /equity 24 h ▁█ ▅ {2}100\.00 to 110\.00, \+5\.00 %/);
  const without = (equity: readonly (string | null)[], rows = 40) =>
    render(screen({ accounts: [account({ today: { ...account().today!, equity } })] }), {
      ...wide,
      rows,
    }).join("\n");
  assert.doesNotMatch(without([]), /24 h/);
  assert.doesNotMatch(without([null, "5"]), /24 h/);
  assert.match(without(["0.00000035", "5"]), /24 h ▁█ {2}0\.00 to 5\.00, /);
  assert.match(without(["0", "5"]), /24 h ▁█ {2}0\.00 to 5\.00 +$/m);
  assert.match(without(["5", "5"]), /24 h ▁▁ {2}5\.00 to 5\.00, 0\.00 %/);
  assert.doesNotMatch(without(["5", "6"], 14), /24 h/);
});

test("the tape goes by when things happened, and a backfill does not push out what is new", () => {
  const tape: ChangeEvent[] = [];
  addToTape(tape, [fill({ id: "new", timeMs: T })]);
  addToTape(
    tape,
    Array.from({ length: 2 * TAPE_MAX }, (_, n) => fill({ id: `old ${n}`, timeMs: T - 9_000 + n })),
  );
  assert.equal(tape.length, TAPE_MAX);
  assert.equal(tape.at(-1)!.id, "new");
  assert.ok(tape.every(({ timeMs }, at) => at === 0 || tape[at - 1]!.timeMs <= timeMs));
});

test("lists are sorted by what s chooses, and enter says all of the row that the arrows chose", () => {
  const positions = [
    positionOf({ coin: "BTC", positionValue: "9000", unrealizedPnl: "-5", liquidationDistancePct: "3" }),
    positionOf({ coin: "ETH", positionValue: "100", unrealizedPnl: "7", liquidationDistancePct: null }),
  ];
  const shown = (keys: string[]) => {
    let state: Shown = { ...SHOWN_FIRST, view: "positions" };
    for (const key of keys) state = press(state, key, 1) as Shown;
    return render(screen({ ...state, accounts: [account({ positions })] }), {
      columns: 100,
      rows: 40,
      color: false,
    }).join("\n");
  };
  assert.match(shown([]), /positions 2 by value[\s\S]+BTC[\s\S]+ETH/);
  assert.match(shown(["s"]), /by uPnL[\s\S]+ETH[\s\S]+BTC/);
  assert.match(shown(["s", "s"]), /by distance to liquidation[\s\S]+BTC[\s\S]+ETH/);
  assert.match(shown(["s", "s", "s", "s"]), /by value/);
  const detail = shown(["down", "enter"]);
  assert.match(detail, /one row, esc goes back/);
  assert.match(detail, /coin +ETH/);
  assert.match(detail, /asOfMs +\d{4}-\d\d-\d\d/);
  assert.match(shown(["down", "down", "down", "enter"]), /coin +ETH/);
  assert.match(shown(["enter", "escape"]), /positions 2 by value/);
});

test("an empty list says what to do", () => {
  const empty = (change: Partial<Screen>, more: Partial<AccountModel> = {}) =>
    render(
      screen({
        tape: [],
        accounts: [account({ positions: [], streams: [], histories: [], ...more })],
        ...change,
      }),
      { columns: 120, rows: 40, color: false },
    ).join("\n");
  assert.match(empty({ view: "positions", filter: "zz" }), /nothing that contains zz: esc clears the filter/);
  assert.match(empty({ view: "tape" }), /appear here once they are committed/);
  assert.match(empty({ view: "streams" }, { role: "standby" }), /another process follows this account/);
});

test("old figures say as of when, and an unknown health says so in a word", () => {
  const old = screen({
    nowMs: T + 45_000,
    accounts: [
      account({
        word: "down",
        snapshot: dashboardOf({
          asOfMs: T,
          healthScore: null,
          healthStatus: "unknown",
          healthReason: "the state is 45 s old",
        }),
      }),
    ],
  });
  const text = render(old, { columns: 120, rows: 30, color: false }).join("\n");
  assert.match(text, /as of 18:17:36 UTC/);
  assert.match(text, /health unknown +the state is 45 s old/);
  assert.match(text, /✕ down/);
});

test("backfill shows its range, rows and the venue's horizon", () => {
  const reading = {
    stream: "fills",
    fromMs: Date.UTC(2026, 0, 1),
    toMs: Date.UTC(2026, 1, 3),
    rows: 2_000,
    active: true,
    completeSinceMs: null,
    gaps: 1,
    horizonMs: Date.UTC(2025, 11, 24),
  };
  const frame = (histories: AccountModel["histories"]) =>
    render(screen({ view: "streams", accounts: [account({ histories })] }), {
      columns: 110,
      rows: 24,
      color: false,
    }).join("\n");
  assert.match(frame([reading]), /reading fills 2026-01-01 00:00 … 2026-02-03 00:00, 2000 rows/);
  assert.match(
    frame([{ ...reading, active: false, completeSinceMs: Date.UTC(2025, 11, 25) }]),
    /before 2025-12-24 00:00 the venue serves no more/,
  );
});

test("colors are only ever beside words", () => {
  const plain = render(screen(), { columns: 100, rows: 30, color: false });
  const colored = render(screen(), { columns: 100, rows: 30, color: true });
  assert.deepEqual(colored.map(stripped), plain);
  assert.ok(!plain.join("").includes("\u001b"));
});

test("text from the wire cannot leave its cell", () => {
  assert.equal(printable("a\u001b[2Jb\r\n\u0007c\u202e"), "a[2Jbc");
  assert.equal(width("日本"), 4);
  assert.equal(fit("日本語", 5), "日本…");
  assert.equal(cut("abcdef", 4), "abc…");
  assert.equal(fit("7", 3, "right"), "  7");
  assert.equal(line([span("ab", "red"), span("cdef")], 4, true), "\u001b[31mab\u001b[0mc…");
});

test("money reads with its thousands, its sign and its places", () => {
  assert.equal(money("1234567.895"), "1,234,567.90");
  assert.equal(money("-0.5"), "−0.50");
  assert.equal(money("999", 0), "999");
  assert.deepEqual(
    [null, 400, 12_300, 180_000, 7_200_000].map((ms) => age(ms)),
    ["–", "0.4 s", "12 s", "3 m", "2 h"],
  );
});

test("a stream is live, delayed, stale or down, by its own promise and by its socket", () => {
  const state = (type: string, change: object = {}) =>
    ({
      subscription: { type, user: "0xaa" },
      state: "confirmed",
      lastDataMs: T - 1_000,
      stale: false,
      ...change,
    }) as const;
  const socket = { live: true, lastReceivedMs: T - 100 };
  const word = (...given: Parameters<typeof streamLine>) => streamLine(...given).word;
  assert.equal(word(state("clearinghouseState"), socket, T), "live");
  assert.equal(word(state("clearinghouseState", { lastDataMs: T - 9_000 }), socket, T), "delayed");
  assert.equal(word(state("clearinghouseState", { stale: true }), socket, T), "stale");
  assert.equal(word(state("clearinghouseState", { state: "refused" }), socket, T), "down");
  assert.equal(word(state("clearinghouseState"), { ...socket, live: false }, T), "down");
  // Quiet by nature: judged by its socket.
  assert.equal(word(state("orderUpdates", { lastDataMs: null }), socket, T), "live");
  assert.equal(
    word(state("orderUpdates", { lastDataMs: null }), { live: true, lastReceivedMs: T - 15_000 }, T),
    "delayed",
  );
  assert.equal(word(state("orderUpdates"), { live: true, lastReceivedMs: T - 31_000 }, T), "stale");
  assert.equal(worst([{ word: "live" }, { word: "stale" }, { word: "delayed" }]), "stale");
  assert.equal(worst([]), "down");
});

test("open orders are those last listed, less those that ended, with those placed since", () => {
  const order = (order_id: number, status: string, change: Partial<ChangeEvent> = {}) =>
    fill(
      { type: "order.updated", ...change },
      { order_id, status, size: "2.0", filled: "0.5", limit_price: "9", order_type: "Limit", tif: "Gtc" },
    );
  const listed = [orderEventOf({ orderId: 5 }), orderEventOf({ orderId: 6 })];
  const tape = [
    order(1, "open", { timeMs: T - 60_000 }),
    order(5, "filled"),
    order(7, "open"),
    order(8, "open"),
    order(8, "canceled"),
    order(9, "partially_filled", { account: "0xbb" }),
  ];
  const open = openNow(listed, tape, "0xaa", T);
  assert.deepEqual(
    open.map(({ orderId, remaining }) => [orderId, remaining]),
    [
      [6, "2.0"],
      [7, "1.5"],
    ],
  );
});

test("what is remembered has a limit", () => {
  const list: number[] = [];
  for (let n = 0; n < 50; n++) append(list, [n, n], 10);
  assert.deepEqual(list, [45, 45, 46, 46, 47, 47, 48, 48, 49, 49]);
});

test("keys: views, accounts, filter, pause, help, quit", () => {
  const after = (bytes: string, from: Shown = SHOWN_FIRST) =>
    keysOf(bytes).reduce<Shown | "quit">(
      (shown, key) => (shown === "quit" ? shown : press(shown, key, 3)),
      from,
    );
  assert.equal((after("\t\t") as Shown).view, "orders");
  assert.equal((after("\u001b[Z") as Shown).view, "log");
  assert.equal((after("4") as Shown).view, "tape");
  assert.equal((after("\u001b[C\u001b[C\u001b[C\u001b[C") as Shown).selected, 1);
  assert.equal((after("\u001b[D") as Shown).selected, 2);
  assert.deepEqual(
    [
      (after("/bt\u007fq4\r") as Shown).filter,
      (after("/bt\r") as Shown).typing,
      (after("/bt\u001b") as Shown).filter,
    ],
    ["bq4", false, ""],
  );
  assert.equal((after("p") as Shown).paused, true);
  assert.equal((after("?") as Shown).help, true);
  assert.equal((after("\u001b[B\u001b[B\u001b[A") as Shown).scroll, 1);
  assert.equal(after("q"), "quit");
  assert.equal(after("/\u0003"), "quit");
  // Unknown sequences (mouse, function keys) are nothing, not letters.
  assert.deepEqual(keysOf("\u001b[15~\u001bOP\u001b[<0;1;1M"), []);
});

test("the terminal paints what changed, waits for a slow one, repaints on resize and gives everything back", async () => {
  const clock = new VirtualClock(T);
  const written: string[] = [];
  const listeners: Record<string, (value: never) => void> = {};
  const on = (event: string, listener: (value: never) => void) => {
    listeners[event] = listener;
  };
  const raw: boolean[] = [];
  const output = {
    columns: 4,
    rows: 2,
    writableLength: 0,
    write: (text: string) => written.push(text) > 0,
    on,
    off: (event: string) => void delete listeners[event],
  };
  const input = {
    setRawMode: (on: boolean) => raw.push(on),
    resume() {},
    pause() {},
    on,
    off: (event: string) => void delete listeners[event],
  };
  let lines = ["aaaa", "bbbb"];
  const typed: string[] = [];
  const terminal = new Terminal({
    input,
    output,
    clock,
    frame: () => lines,
    onBytes: (text) => typed.push(text),
  });
  terminal.start();
  await clock.advanceBy(100);
  assert.match(written.at(-1)!, /1;1Haaaa.*2;1Hbbbb/s);
  lines = ["aaaa", "cccc"];
  terminal.refresh();
  terminal.refresh();
  await clock.advanceBy(1_000);
  assert.equal(stripped(written.at(-1)!).includes("aaaa"), false);
  assert.match(written.at(-1)!, /2;1Hcccc/);
  const frames = written.length;
  output.writableLength = 1;
  lines = ["dddd", "cccc"];
  terminal.refresh();
  await clock.advanceBy(1_000);
  assert.equal(written.length, frames);
  output.writableLength = 0;
  await clock.advanceBy(200);
  assert.match(written.at(-1)!, /1;1Hdddd/);
  listeners.resize!(undefined as never);
  await clock.advanceBy(200);
  assert.match(written.at(-1)!, /1;1Hdddd.*2;1Hcccc/s);
  listeners.data!(Buffer.from("q") as never);
  assert.deepEqual(typed, ["q"]);
  terminal.stop();
  terminal.stop();
  assert.ok(written.at(-1)!.endsWith(`${ESC}[?25h${ESC}[?1049l`));
  assert.deepEqual([raw, Object.keys(listeners)], [[true, false], []]);
});
