/** The dashboard's own modules that need no browser: exact numbers, tables as files, what a change does. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import Big from "big.js";
import { build } from "esbuild";
import fc from "fast-check";
import { buildPage } from "../../../dashboard/build.ts";

const SOURCES = new URL("../../../dashboard/src/", import.meta.url);
/** Bundled as they are served: Node reads no JSX. */
const { outputFiles } = await build({
  stdin: {
    contents: [
      "decimal.ts",
      "format.ts",
      "model.ts",
      "table.tsx",
      "charts.tsx",
      "tables.tsx",
      "day.ts",
      "trading.ts",
    ]
      .map((name) => `export * as ${name.split(".")[0]} from "./${name}";`)
      .join("\n"),
    resolveDir: fileURLToPath(SOURCES),
  },
  bundle: true,
  write: false,
  format: "esm",
  jsx: "automatic",
  jsxImportSource: "preact",
});
const page = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString("base64")}`
);
const { decimal: decimals, format, model } = page;
const { toCsv } = page.table;
const { axisText } = page.charts;
const { driftWords, ORDER_HISTORY } = page.tables;
const { addDay, daysWith, largest, totalOf } = page.day;

const { bySteps, cumulative, distribution, stepOf } = page.trading;

const decimal = fc
  .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 24n }), fc.integer({ min: 0, max: 12 }))
  .map(([isNegative, units, scale]) => {
    const digits = units.toString().padStart(scale + 1, "0");
    const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
    return isNegative ? `-${text}` : text;
  });

describe("decimals on the page", () => {
  it("agree with exact arithmetic", () => {
    Big.DP = 60;
    fc.assert(
      fc.property(decimal, decimal, fc.integer({ min: 0, max: 8 }), (a, b, places) => {
        const same = (text: string, value: Big) =>
          assert.ok(new Big(text).eq(value), `${text} is not ${value.toFixed()}`);
        same(decimals.subtract(a, b), new Big(a).minus(b));
        same(decimals.multiply(a, b), new Big(a).times(b));
        same(decimals.sum([a, b, a]), new Big(a).plus(b).plus(a));
        same(decimals.negate(a), new Big(a).times(-1));
        same(decimals.trim(a), new Big(a));
        assert.equal(decimals.compare(a, b), new Big(a).cmp(b));
        assert.equal(decimals.sign(a), new Big(a).cmp(0));
        // As SQL rounds: half away from zero.
        assert.equal(
          decimals.round(a, places).replace(/^-(?=[0.]+$)/, ""),
          new Big(a)
            .round(places, Big.roundHalfUp)
            .toFixed(places)
            .replace(/^-(?=[0.]+$)/, ""),
        );
      }),
    );
  });

  it("are written with groups, a true minus, and nothing for what is unknown", () => {
    assert.equal(format.usd("-1234567.885"), "−1,234,567.89");
    assert.equal(format.usd("0.005"), "0.01");
    assert.equal(format.exact("83757.50"), "83,757.5");
    assert.equal(format.signed("12"), "+12.00");
    assert.equal(format.signed("0.0"), "0.00");
    assert.equal(format.signed("-0.0012"), "−0.0012");
    assert.equal(format.ratioPercent("0.01234"), "+1.23%");
    for (const unknown of [null, undefined, "", "NaN", 1.5]) assert.equal(format.usd(unknown), "–");
  });
});

describe("a table as a file", () => {
  const columns = [
    { id: "coin", title: "Coin", value: (row: { coin: string }) => row.coin },
    { id: "pnl", title: "PNL (ROE %)", value: (row: { pnl: string }) => row.pnl },
    { id: "note", title: "Note", value: (row: { note: unknown }) => row.note },
  ];

  it("keeps every digit and quotes what needs it", () => {
    const rows = [
      { coin: "BTC", pnl: "-0.000000000001", note: 'a "b", c\nd' },
      { coin: "@1", pnl: "1.10", note: null },
    ];
    assert.equal(
      toCsv(rows, columns),
      'Coin,PNL (ROE %),Note\r\nBTC,-0.000000000001,"a ""b"", c\nd"\r\n\'@1,1.10,\r\n',
    );
  });

  it("runs no formula in a spreadsheet", () => {
    const csv: string = toCsv([{ coin: "=HYPERLINK(1)", pnl: "-5", note: "+cmd|x" }], columns);
    assert.equal(csv.split("\r\n")[1], "'=HYPERLINK(1),-5,'+cmd|x");
  });
});

describe("a change", () => {
  const ACCOUNT = `0x${"a".repeat(40)}`;
  const fresh = () => {
    const made = model.createModel();
    made.account = ACCOUNT;
    return made;
  };
  const fill = (timeMs: number, tradeId: number) => ({
    type: "fill.created",
    account: ACCOUNT,
    source: "stream",
    data: { coin: "BTC", fill_time_ms: timeMs, order_id: 1, trade_id: tradeId, side: "buy", size: "1" },
  });
  const order = (orderId: number, status: string) => ({
    type: "order.updated",
    account: ACCOUNT,
    source: "stream",
    data: { order_id: orderId, status, placed_at_ms: orderId, status_time_ms: 100 + orderId },
  });

  it("is shown once however often it comes, newest first, also when it comes late", () => {
    const made = fresh();
    made.lists.fills.loaded = "yes";
    for (const [timeMs, tradeId] of [
      [30, 3],
      [10, 1],
      [30, 3],
      [20, 2],
      [30, 4],
      [10, 1],
    ] as const) {
      model.applyChange(made, fill(timeMs, tradeId));
    }
    assert.deepEqual(
      made.lists.fills.rows.map((row: { fill_time_ms: number }) => row.fill_time_ms),
      [30, 30, 20, 10],
    );
  });

  it("older than what was read of a longer history waits to be read in its place", () => {
    const made = fresh();
    Object.assign(made.lists.fills, { loaded: "yes", more: true, total: 9 });
    model.applyChange(made, fill(30, 3));
    model.applyChange(made, fill(10, 1));
    const list = made.lists.fills;
    assert.deepEqual([list.rows.length, list.rows.at(-1)!.fill_time_ms, list.total], [1, 30, 11]);
    list.more = false;
    model.applyChange(made, fill(10, 1));
    assert.equal(list.rows.at(-1)!.fill_time_ms, 10);
  });

  it("does not begin a list that was never read", () => {
    const made = fresh();
    model.applyChange(made, fill(1, 1));
    assert.deepEqual(made.lists.fills.rows, []);
  });

  it("of another account is not shown", () => {
    const made = fresh();
    made.lists.fills.loaded = "yes";
    assert.equal(model.applyChange(made, { ...fill(1, 1), account: `0x${"b".repeat(40)}` }), false);
    assert.deepEqual(made.lists.fills.rows, []);
  });

  it("moves an order from the open ones to the history when it ends", () => {
    const made = fresh();
    made.lists.orderHistory.loaded = "yes";
    for (const step of [
      order(1, "open"),
      order(2, "open"),
      order(1, "partially_filled"),
      order(1, "filled"),
    ]) {
      model.applyChange(made, step);
    }
    const ids = (rows: { order_id: number }[]) => rows.map(({ order_id }) => order_id);
    assert.deepEqual([ids(made.openOrders), ids(made.lists.orderHistory.rows)], [[2], [1]]);
  });

  it("closes a position that became flat", () => {
    const made = fresh();
    const position = (side: string, value: string) => ({
      type: "position.updated",
      account: ACCOUNT,
      source: "stream",
      data: { dex: "", coin: "BTC", side, position_value: value },
    });
    model.applyChange(made, position("long", "5"));
    model.applyChange(made, position("short", "7"));
    assert.deepEqual(
      made.positions.map(({ side }: { side: string }) => side),
      ["short"],
    );
    model.applyChange(made, position("flat", "0"));
    assert.deepEqual(made.positions, []);
  });
});

describe("today beside the days before", () => {
  const row = (rest: Record<string, unknown>) => ({
    fills: 2,
    volume: "100",
    closed_pnl: "5",
    fees: "0.4",
    funding: "-0.1",
    net_pnl: "4.5",
    unpriced_fees: 0,
    ...rest,
  });
  const overview = {
    day_start_ms: Date.UTC(2026, 9, 5),
    day_fills: 3,
    day_volume: "31.5",
    day_gross: "-1",
    day_fees: "0.25",
    day_funding: "0.05",
    day_net: "-1.2",
    day_unpriced_fees: 1,
    day_coins: [
      row({
        coin: "BTC",
        fills: 1,
        volume: "1.5",
        closed_pnl: "-1",
        fees: "0.2",
        funding: "0",
        net_pnl: "-1.2",
      }),
      row({
        coin: "@107",
        fills: 2,
        volume: "30",
        closed_pnl: "0",
        fees: "0.05",
        funding: "0.05",
        net_pnl: "0",
      }),
    ],
  };

  it("is added to each coin once, to the last digit", () => {
    const rows = addDay([row({ coin: "BTC" }), row({ coin: "ETH" })], overview);
    assert.deepEqual(
      rows.map(({ coin, fills, volume, net_pnl }: Record<string, unknown>) => [coin, fills, volume, net_pnl]),
      [
        ["BTC", 3, "101.5", "3.3"],
        ["ETH", 2, "100", "4.5"],
        ["@107", 2, "30", "0"],
      ],
    );
    const { closed_pnl, fees, funding, net_pnl } = totalOf(rows);
    assert.deepEqual([closed_pnl, fees, funding, net_pnl].map(Number), [9, 1.05, -0.15, 7.8]);
    assert.deepEqual(addDay([row({ coin: "BTC" })], null), [row({ coin: "BTC" })]);
  });

  it("is one day of the calendar, the same as in the tiles, also where an older reading has the day already", () => {
    const before = row({ day: "2026-10-04" });
    const shown = daysWith([before, row({ day: "2026-10-05", net_pnl: "77" })], overview);
    assert.deepEqual(
      shown.map(({ day, net_pnl, fills }: Record<string, unknown>) => [day, net_pnl, fills]),
      [
        ["2026-10-04", "4.5", 2],
        ["2026-10-05", "-1.2", 3],
      ],
    );
    assert.deepEqual(daysWith([before], { ...overview, day_coins: [] }), [before], "a day without anything");
  });
});

describe("profit by coin", () => {
  const coins = [12, -900, 3, 0.5, -40, 7, 8, -9, 1, 2, -3, 40].map((net, n) => ({
    coin: `C${n}`,
    fills: 2,
    unpriced_fees: 0,
    volume: "10",
    closed_pnl: String(net),
    fees: "0",
    funding: "0",
    net_pnl: String(net),
  }));

  it("shows those that made or lost most, and all others together", () => {
    const shown: { coin: string; net_pnl: string; fills: number }[] = largest(coins, 8);
    assert.deepEqual(
      shown.map(({ coin, net_pnl }) => [coin, net_pnl]),
      [
        ...[
          ["C1", "-900"],
          ["C4", "-40"],
          ["C11", "40"],
          ["C0", "12"],
          ["C7", "-9"],
          ["C6", "8"],
          ["C5", "7"],
        ],
        ["5 others", "3.5"],
      ],
    );
    assert.equal(shown.at(-1)!.fills, 10);
    assert.equal(totalOf(shown).net_pnl, totalOf(coins).net_pnl);
    assert.equal(largest(coins.slice(0, 8), 8).length, 8);
  });
});

describe("what trading came to", () => {
  const day = (name: string, net: string, gross = net) => ({
    ...{ day: name, fills: 1, unpriced_fees: 0, volume: "10", closed_pnl: gross, fees: "0", funding: "0" },
    net_pnl: net,
  });
  type Sum = { key: string; net_pnl: string; fills: number };

  it("is added to the last digit by day, by week from Monday and by month", () => {
    const days = [
      day("2026-10-31", "0.1"),
      day("2026-11-01", "0.2"),
      day("2026-11-02", "-1.000000000000000001"),
      day("2027-01-03", "5"),
    ];
    const shown = (step: string) =>
      bySteps(days, step).map(({ key, net_pnl, fills }: Sum) => [key, net_pnl, fills]);
    assert.deepEqual(shown("week"), [
      ["2026-10-26", "0.3", 2],
      ["2026-11-02", "-1.000000000000000001", 1],
      ["2026-12-28", "5", 1],
    ]);
    assert.deepEqual(shown("month"), [
      ["2026-10-01", "0.1", 1],
      ["2026-11-01", "-0.800000000000000001", 2],
      ["2027-01-01", "5", 1],
    ]);
    assert.equal(shown("day").length, 4);
    assert.equal(stepOf("2026-11-01", "week"), "2026-10-26", "a Sunday ends a week");
    assert.deepEqual(bySteps([], "week"), []);
  });

  it("grows from nothing, and stays where it is on days without a trade", () => {
    const points = cumulative([day("2026-10-30", "3", "4"), day("2026-11-02", "-1.5", "-1")], "2026-11-03");
    assert.deepEqual(
      points.map(({ net, gross }: { net: string; gross: string }) => `${net} ${gross}`),
      ["0 0", "3 4", "3 4", "3 4", "1.5 3", "1.5 3"],
    );
    assert.equal(points[1].ms, Date.parse("2026-10-31"), "a day's profit stands at its end");
    assert.deepEqual(cumulative([], "2026-11-03"), []);
  });

  it("counts every trade once, and puts no win beside a loss", () => {
    fc.assert(
      fc.property(fc.array(decimal, { maxLength: 60 }), fc.integer({ min: 1, max: 40 }), (values, count) => {
        const bins: { from: number; to: number; count: number }[] = distribution(values, count);
        assert.equal(
          bins.reduce((total, bin) => total + bin.count, 0),
          values.length,
        );
        assert.ok(bins.every(({ from, to }) => from >= 0 || to <= 0));
        const lost = bins.filter(({ from }) => from < 0).reduce((total, bin) => total + bin.count, 0);
        assert.equal(lost, values.filter((value) => Number(value) < 0).length);
        assert.ok(bins.length <= 2 * count + 2, `${bins.length} bins for ${count}`);
      }),
    );
    assert.deepEqual(distribution(["-100", "-99", "0", "100", "250"], 4), [
      // A value on an end belongs to the range away from zero.
      { from: -200, to: -100, count: 1 },
      { from: -100, to: 0, count: 1 },
      { from: 0, to: 100, count: 1 },
      { from: 100, to: 200, count: 1 },
      { from: 200, to: 300, count: 1 },
    ]);
  });
});

describe("words and signs", () => {
  it("what rounds to nothing has no sign on an axis", () => {
    assert.equal(axisText(-1e-17, 2), "0.00");
    assert.equal(axisText(-0.5, 2), "-0.50");
  });

  it("a difference is said in words", () => {
    const [fromMs, toMs] = [Date.UTC(2026, 0, 1, 12, 3, 11), Date.UTC(2026, 0, 1, 12, 3, 14)];
    const chain = { coin: "BTC", missing: "0.041", fromMs, toMs };
    assert.equal(driftWords({ cause: "chain", detail: chain }), "BTC: 0.041 missing, 12:03:11 to 12:03:14");
    const position = { coin: "BTC", implied: "1.5", venue: "-2", fromMs };
    assert.equal(
      driftWords({ cause: "position", detail: position }),
      "BTC: fills say 1.5, the venue \u22122, since 12:03:11",
    );
    assert.equal(
      driftWords({ cause: "order", detail: { coin: "ETH", orderId: 7 } }),
      "ETH: order 7 is not open at the venue",
    );
    assert.equal(driftWords({ cause: "other", detail: { atMs: fromMs, n: 3 } }), "atMs 12:03:11, n 3");
    assert.equal(driftWords({ cause: "other", detail: null }), "");
  });

  it("the worst price of a market order is not shown as its price", () => {
    const price = ORDER_HISTORY.find(({ id }: { id: string }) => id === "limit_price");
    const value = ORDER_HISTORY.find(({ id }: { id: string }) => id === "order_value");
    const order = {
      order_type: "Market",
      tif: "FrontendMarket",
      size: "2",
      limit_price: "88000",
      trigger_price: "0.0",
    };
    assert.deepEqual([price.value(order), price.show(order).props.children], [null, "Market"]);
    assert.equal(value.value(order), null);
    assert.equal(value.value({ ...order, order_type: "Stop Market", trigger_price: "70000" }), "140000");
    assert.equal(price.value({ ...order, order_type: "Limit", tif: "Gtc" }), "88000");
  });
});

/** Names of vocabularies, and a link for the reader to follow: no address that the page asks. */
const UNASKED = /^(http:\/\/www\.w3\.org\/|https:\/\/www\.tradingview\.com\/)/;

describe("contrast", () => {
  const css = readFileSync(new URL("style.css", SOURCES), "utf8");
  const themes = [...css.matchAll(/\{[^{}]*--ground:[^{}]*\}/g)].map(
    ([block]) =>
      new Map([...block.matchAll(/--([a-z]+): (#[0-9a-f]+);/g)].map(([, name, color]) => [name!, color!])),
  );
  const luminance = (color: string) => {
    const digits =
      color.length === 4 ? [...color.slice(1)].map((digit) => digit + digit) : color.match(/[0-9a-f]{2}/g)!;
    const [red, green, blue] = digits
      .map((pair) => Number.parseInt(pair, 16) / 255)
      .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };

  it("of all words is at least 4.5:1 in every theme, also of what is dimmed", () => {
    assert.equal(themes.length, 3);
    for (const theme of themes)
      for (const words of ["text", "soft", "faint", "accent", "up", "down", "warn"])
        for (const under of ["ground", "panel", "raised"]) {
          const [dark, bright] = [luminance(theme.get(words)!), luminance(theme.get(under)!)].sort(
            (a, b) => a - b,
          );
          const contrast = (bright! + 0.05) / (dark! + 0.05);
          assert.ok(contrast >= 4.5, `${words} ${theme.get(words)} on ${under}: ${contrast.toFixed(2)}`);
        }
    assert.doesNotMatch(
      css.slice(css.indexOf(".old :is"), css.indexOf("@media (max-width: 1250px)")),
      /opacity/,
    );
  });
});

describe("freshness on the page", () => {
  const shown = (account: Record<string, unknown>, rest: Record<string, unknown> = {}) => {
    const made = model.createModel();
    const now = Date.now();
    made.account = "a";
    made.status = {
      accounts: [
        {
          address: "a",
          mode: "stream",
          socket: "live",
          fresh: true,
          last_data_ms: now - 500,
          delayed_after_ms: 10_000,
          ...account,
        },
      ],
    };
    Object.assign(made, { link: "live" }, rest);
    return model.freshness(made).word;
  };

  it("is said in one word", () => {
    const now = Date.now();
    assert.equal(shown({}), "live");
    assert.equal(shown({ last_data_ms: now - 11_000 }), "delayed");
    assert.equal(shown({ fresh: false }), "stale");
    assert.equal(shown({ socket: "waiting" }), "down");
    assert.equal(shown({}, { link: "away" }), "away");
    assert.equal(shown({ last_data_ms: null }), "waiting");
    const polled = { mode: "poll", socket: "none", delayed_after_ms: 60_000 };
    assert.equal(shown({ ...polled, last_data_ms: now - 50_000 }), "live");
    assert.equal(shown({ ...polled, last_data_ms: now - 61_000 }), "delayed");
  });
});

describe("the page's files", async () => {
  const folder = new URL("../../../dashboard/dist/", import.meta.url);
  await buildPage("server");
  const files = readdirSync(folder).filter((name) => /\.(js|css|html|svg)$/.test(name));
  const text = (name: string) => readFileSync(new URL(name, folder), "utf8");

  it("stay under 200 kB gzip, the libraries included", (t) => {
    const bytes = files.map((name) => gzipSync(text(name)).length);
    const total = bytes.reduce((sum, size) => sum + size, 0);
    t.diagnostic(`the page: ${(total / 1000).toFixed(1)} kB gzip in ${bytes.length} files`);
    assert.ok(total < 200_000, `${total} bytes`);
  });

  it("ask nothing of any other machine", () => {
    for (const name of files) {
      const urls = text(name).match(/https?:\/\/[a-z\d][^\s"'`)]*/gi) ?? [];
      assert.deepEqual(
        urls.filter((url) => !UNASKED.test(url)),
        [],
        name,
      );
    }
  });
});
