/**
 * Conservation laws of the venue model, from its public rows alone: what a client could add up, adds up.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "../../src/simulator/contract.ts";
import { fixed, format, mul } from "../../src/simulator/exchange/fixed.ts";
import { runSession, type Session, USERS } from "./exchangeSession.ts";

/** About half a minute of one core. */
/** Fresh ones every time; `npm run nightly` takes a thousand. */
const RUNS = Number(process.env.HLSYNC_CONSERVATION_SEEDS ?? 200);
const STEPS = 70;

const value = (row: JsonObject, key: string): bigint => fixed(row[key] as string);
const isSpot = (coin: unknown): boolean => String(coin).startsWith("@");
const DEXES = ["", "xyz"];

interface Row {
  user: string;
  fill: JsonObject;
}

/** Every fill row of everybody in the order it happened, TWAP slices merged in. */
const rowsOf = (session: Session): Row[] =>
  session.events.flatMap((e) =>
    e.type === "fill" || e.type === "twapSliceFill" ? [{ user: e.user, fill: e.fill }] : [],
  );

const stateOf = (session: Session, user: string, dex: string): JsonObject =>
  session.venue.info({ type: "clearinghouseState", user, dex }).body as JsonObject;

const isPooled = (session: Session, user: string): boolean =>
  ["unifiedAccount", "portfolioMargin"].includes(
    session.venue.info({ type: "userAbstraction", user }).body as string,
  );

const balancesOf = (session: Session, user: string): JsonObject[] =>
  (session.venue.info({ type: "spotClearinghouseState", user }).body as { balances: JsonObject[] }).balances;

/** What is held and not owed. */
function spotDollars(session: Session, user: string): bigint {
  const usdc = balancesOf(session, user).find((balance) => balance.coin === "USDC");
  if (usdc === undefined) return 0n;
  return value(usdc, "total") - (usdc.borrowed === undefined ? 0n : value(usdc, "borrowed"));
}

function positionsOf(session: Session, user: string): JsonObject[] {
  return DEXES.flatMap((dex) =>
    (stateOf(session, user, dex).assetPositions as JsonObject[]).map((p) => p.position as JsonObject),
  );
}

function fillsComeInPairs(session: Session): void {
  const groups = new Map<string, JsonObject[]>();
  for (const { fill } of rowsOf(session)) {
    const key = `${fill.time}:${fill.coin}:${fill.tid}`;
    groups.set(key, [...(groups.get(key) ?? []), fill]);
  }
  for (const [key, group] of groups) {
    const [a, b] = group as [JsonObject, JsonObject];
    assert.equal(group.length, 2, `one trade, two rows: ${key}`);
    assert.deepEqual([a.side, b.side], ["B", "A"], "buyer's row first");
    assert.deepEqual([a.px, a.sz], [b.px, b.sz]);
    assert.notEqual(a.crossed, b.crossed);
  }
}

function positionsSumToZero(session: Session): void {
  const sums = new Map<string, bigint>();
  for (const user of session.venue.users()) {
    for (const position of positionsOf(session, user)) {
      const coin = position.coin as string;
      sums.set(coin, (sums.get(coin) ?? 0n) + value(position, "szi"));
    }
  }
  for (const [coin, sum] of sums) assert.equal(sum, 0n, `positions in ${coin}`);
}

function chainsAreUnbroken(session: Session): void {
  const ends = new Map<string, bigint>();
  for (const { user, fill } of rowsOf(session)) {
    if (isSpot(fill.coin)) continue;
    const key = `${user}:${fill.coin}`;
    assert.equal(fill.startPosition, format(ends.get(key) ?? 0n), `chain of ${key} at ${fill.time}`);
    ends.set(key, value(fill, "startPosition") + (fill.side === "B" ? 1n : -1n) * value(fill, "sz"));
  }
  for (const user of session.venue.users()) {
    const live = new Map(positionsOf(session, user).map((p) => [p.coin as string, value(p, "szi")]));
    for (const [key, end] of ends) {
      const [owner, ...coin] = key.split(":");
      if (owner === user)
        assert.equal(live.get(coin.join(":")) ?? 0n, end, `chain ends at the position: ${key}`);
    }
  }
}

/** What one ledger row did to the USDC of `user`. */
function ledgerUsd(user: string, delta: JsonObject): bigint {
  const mine = (key: string) => (delta[key] === user ? 1n : 0n);
  switch (delta.type) {
    case "deposit":
      return value(delta, "usdc");
    case "withdraw":
      return -(value(delta, "usdc") + value(delta, "fee"));
    case "spotGenesis":
      return delta.token === "USDC" ? value(delta, "amount") : 0n;
    case "internalTransfer":
      return (
        mine("destination") * value(delta, "usdc") -
        mine("user") * (value(delta, "usdc") + value(delta, "fee"))
      );
    case "send":
    case "spotTransfer":
      return (
        (delta.token === "USDC" ? (mine("destination") - mine("user")) * value(delta, "amount") : 0n) -
        mine("user") * value(delta, "fee")
      );
    default:
      return 0n;
  }
}

function cashOf(fill: JsonObject): bigint {
  const notional = mul(value(fill, "px"), value(fill, "sz"));
  const fee = fill.feeToken === "USDC" ? value(fill, "fee") : 0n;
  return (fill.side === "B" ? -notional : notional) - fee;
}

/** Deposits, fees, realized and unrealized PnL, funding and transfers of each account are its value, to the last digit. */
function accountsAddUp(session: Session): void {
  for (const user of session.venue.users()) {
    const truth = session.venue.truth(user);
    const fills = [...truth.fills, ...truth.twapSliceFills.map((s) => s.fill)];
    const sum = (rows: bigint[]) => rows.reduce((a, b) => a + b, 0n);
    const ledger = sum(truth.ledger.map((row) => ledgerUsd(user, row.delta as JsonObject)));
    const funding = sum(truth.funding.map((row) => value(row, "usdc")));
    const spotUsdc = spotDollars(session, user);
    const states = DEXES.map((dex) => stateOf(session, user, dex).marginSummary as JsonObject);
    const worth = sum(states.map((s) => value(s, "accountValue")));
    // A pooled account's spot total contains the equity of its dexes; in the other modes they are apart.
    const outside = isPooled(session, user) ? spotUsdc - worth : spotUsdc;

    const raw = sum(states.map((s) => value(s, "totalRawUsd")));
    assert.equal(format(raw + outside), format(ledger + funding + sum(fills.map(cashOf))), `cash of ${user}`);

    const perpFills = fills.filter((f) => !isSpot(f.coin));
    const realized = sum(perpFills.map((f) => value(f, "closedPnl") - value(f, "fee")));
    const unrealized = sum(positionsOf(session, user).map((p) => value(p, "unrealizedPnl")));
    const spotCash = sum(fills.filter((f) => isSpot(f.coin)).map(cashOf));
    assert.equal(
      format(worth + outside),
      format(ledger + funding + realized + spotCash + unrealized),
      `value of ${user}`,
    );
    const hype = fixed(truth.balances.find((b) => b.coin === "HYPE")?.total ?? "0");
    assert.equal(format(hype), format(hypeFrom(user, truth.ledger, fills)), `HYPE of ${user}`);
  }
}

function hypeFrom(user: string, ledger: JsonObject[], fills: JsonObject[]): bigint {
  let total = 0n;
  for (const row of ledger) {
    const delta = row.delta as JsonObject;
    if (delta.token !== "HYPE") continue;
    if (delta.type === "spotGenesis") total += value(delta, "amount");
    else if (delta.destination === user) total += value(delta, "amount");
    if (delta.type !== "spotGenesis" && delta.user === user) total -= value(delta, "amount");
  }
  for (const fill of fills) {
    if (fill.coin !== "@107") continue;
    total += fill.side === "B" ? value(fill, "sz") : -value(fill, "sz");
    if (fill.feeToken === "HYPE") total -= value(fill, "fee");
  }
  return total;
}

function booksAreSound(session: Session): void {
  for (const coin of session.venue.coins()) {
    const book = session.venue.info({ type: "l2Book", coin }).body as JsonObject;
    const [bids, asks] = (book.levels as JsonObject[][]).map((side) =>
      side.map((l) => [value(l, "px"), value(l, "sz")]),
    );
    for (const [, sz] of [...bids!, ...asks!]) assert.ok(sz! > 0n, `size in ${coin}`);
    for (let i = 1; i < bids!.length; i++) assert.ok(bids![i]![0]! < bids![i - 1]![0]!, "bids fall");
    for (let i = 1; i < asks!.length; i++) assert.ok(asks![i]![0]! > asks![i - 1]![0]!, "asks rise");
    if (bids!.length > 0 && asks!.length > 0)
      assert.ok(bids![0]![0]! < asks![0]![0]!, `${coin} is not crossed`);
  }
}

/** First `open` or a refusal; nothing after the end; the end agrees with the fills. */
function ordersLiveOnce(session: Session): void {
  for (const user of USERS) {
    const truth = session.venue.truth(user);
    const filled = new Map<Json | undefined, bigint>();
    for (const fill of truth.fills) filled.set(fill.oid, (filled.get(fill.oid) ?? 0n) + value(fill, "sz"));
    const lives = new Map<Json | undefined, JsonObject[]>();
    for (const row of truth.orderEvents) {
      const { oid } = row.order as JsonObject;
      lives.set(oid, [...(lives.get(oid) ?? []), row]);
    }
    const open = new Set(truth.openOrders.map((o) => o.oid));
    for (const [oid, rows] of lives) {
      const statuses = rows.map((r) => r.status as string);
      const last = statuses.at(-1)!;
      assert.ok(
        statuses[0] === "open" || (statuses.length === 1 && last.endsWith("Rejected")),
        statuses.join(),
      );
      assert.ok(
        statuses.slice(0, -1).every((s) => s === "open" || s === "triggered"),
        statuses.join(),
      );
      assert.equal(open.has(oid), last === "open" || last === "triggered", `${oid}: ${statuses.join()}`);
      const order = rows.at(-1)!.order as JsonObject;
      if (open.has(oid) || last.endsWith("Rejected")) continue;
      assert.equal(
        format(value(order, "origSz") - (filled.get(oid) ?? 0n)),
        order.sz,
        `${oid}: ${statuses.join()}`,
      );
    }
  }
}

function holdsMatchOrders(session: Session): void {
  for (const user of USERS) {
    const holds = new Map<string, bigint>();
    const { openOrders, orderEvents } = session.venue.truth(user);
    const fired = new Set(
      orderEvents.filter((row) => row.status === "triggered").map((row) => (row.order as JsonObject).oid),
    );
    for (const order of openOrders) {
      // A trigger that waits reserves nothing.
      if (!isSpot(order.coin) || (order.isTrigger === true && !fired.has(order.oid))) continue;
      const coin = order.side === "B" ? "USDC" : "HYPE";
      const need = order.side === "B" ? mul(value(order, "limitPx"), value(order, "sz")) : value(order, "sz");
      holds.set(coin, (holds.get(coin) ?? 0n) + need);
    }
    const posted = isPooled(session, user) ? DEXES.map((dex) => stateOf(session, user, dex)) : [];
    for (const { marginSummary } of posted as { marginSummary: JsonObject }[]) {
      const used = [value(marginSummary, "totalMarginUsed"), value(marginSummary, "accountValue")];
      const held = used[0]! < used[1]! ? used[0]! : used[1]!;
      if (held > 0n) holds.set("USDC", (holds.get("USDC") ?? 0n) + held);
    }
    for (const balance of balancesOf(session, user)) {
      const hold = value(balance, balance.spotHold === undefined ? "hold" : "spotHold");
      assert.equal(format(hold), format(holds.get(balance.coin as string) ?? 0n), `hold of ${balance.coin}`);
      assert.ok(
        balance.borrowed !== undefined || value(balance, "total") >= hold,
        `${user} ${JSON.stringify(balance)}`,
      );
    }
  }
}

/** A pool that covers its maintenance margin covers that of each of its dexes. */
function poolsAreShared(session: Session): void {
  for (const user of USERS.filter((one) => isPooled(session, one))) {
    const states = DEXES.map((dex) => stateOf(session, user, dex));
    const least = states.map((state) => value(state, "crossMaintenanceMarginUsed"));
    const values = states.map((state) => value(state.crossMarginSummary as JsonObject, "accountValue"));
    const usdc = balancesOf(session, user).find((balance) => balance.coin === "USDC")!;
    const free = spotDollars(session, user) - value(usdc, usdc.spotHold === undefined ? "hold" : "spotHold");
    const covered = free + values[0]! + values[1]! >= least[0]! + least[1]!;
    if (covered)
      assert.ok(
        values.every((one, place) => one >= least[place]!),
        `${user}: ${values} ${least}`,
      );
  }
}

test("the books of everybody add up after any session", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
      const session = runSession(seed, STEPS);
      fillsComeInPairs(session);
      positionsSumToZero(session);
      chainsAreUnbroken(session);
      accountsAddUp(session);
      booksAreSound(session);
      ordersLiveOnce(session);
      holdsMatchOrders(session);
      poolsAreShared(session);
    }),
    // Kept: a reduce-only order that traded with its own account and then rested across the book.
    { numRuns: RUNS, examples: [[1716555596]] },
  );
});

test("the same seed gives the same bytes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
      const [one, two] = [runSession(seed, 30), runSession(seed, 30)];
      assert.equal(JSON.stringify(one.events), JSON.stringify(two.events));
      assert.equal(JSON.stringify(one.answers), JSON.stringify(two.answers));
    }),
    { numRuns: 5 },
  );
});

test("a session reaches every kind of event, so that the laws above are tested by something", () => {
  const seen = new Set<string>();
  const statuses = new Set<string>();
  const directions = new Set<string>();
  for (let seed = 1; seed <= 100; seed++) {
    for (const event of runSession(seed, STEPS).events) {
      seen.add(event.type);
      if (event.type === "orderUpdate") statuses.add(event.status);
      if (event.type === "fill") directions.add(event.fill.dir as string);
    }
  }
  for (const type of [
    "fill",
    "trade",
    "twapSliceFill",
    "twapHistory",
    "funding",
    "ledger",
    "liquidation",
    "nonUserCancel",
  ]) {
    assert.ok(seen.has(type), `no ${type} in ${[...seen].join()}`);
  }
  for (const status of [
    "open",
    "filled",
    "canceled",
    "triggered",
    "iocCancelRejected",
    "siblingFilledCanceled",
  ]) {
    assert.ok(statuses.has(status), `no ${status} in ${[...statuses].join()}`);
  }
  for (const dir of ["Open Long", "Close Short", "Long > Short", "Buy", "Sell", "Liquidated Cross Long"]) {
    assert.ok(directions.has(dir), `no ${dir} in ${[...directions].join()}`);
  }
});
