/**
 * The tables of one account held against what happened in the venue model, row by row. Reads only.
 */
import { type Decimal, eq } from "../../src/runtime/decimal.ts";
import type { JsonObject, Venue } from "../../src/simulator/contract.ts";
import { covers, union } from "../../src/sync/coverage.ts";
import type { Store } from "../../src/sync/ports.ts";
import type { FillRow } from "../../src/sync/rows.ts";

/** Identity of a wire fill; the same text that the database's key columns give. */
export const wireKey = (fill: JsonObject): string =>
  [fill.coin, fill.time, fill.oid, fill.tid, fill.side].join("|");

export const storedKey = (fill: FillRow): string =>
  [fill.coin, fill.timeMs, fill.orderId, fill.tradeId, fill.side === "buy" ? "B" : "A"].join("|");

/** Everything in which tables and truth differ; empty when they are equal. */
export async function differencesOf(store: Store, venue: Venue, account: string): Promise<string[]> {
  const truth = venue.truth(account);
  const everything = [account, 0, Number.MAX_SAFE_INTEGER] as const;
  const stored = await store.fills(...everything);
  const held = async () => [
    ...unlike("position", positionsOf(truth.positions), positionsOf(await store.positions(account))),
    ...unlike("balance", totalsOf(truth.balances), totalsOf(await store.balances(account))),
  ];
  return [
    ...fillDifferences(stored, [...truth.fills, ...truth.twapSliceFills.map(({ fill }) => fill)]),
    ...(await orderDifferences(store, venue, account, stored)),
    ...(await held()),
    ...unlike(
      "funding",
      new Map(truth.funding.map(({ coin, time, usdc }) => [`${coin}|${time}`, usdc as Decimal])),
      new Map((await store.funding(...everything)).map((row) => [`${row.coin}|${row.timeMs}`, row.usdc])),
    ),
    ...unlike(
      "ledger row",
      countsOf(truth.ledger.map(({ time, hash, delta }) => `${time}|${hash}|${(delta as JsonObject).type}`)),
      countsOf((await store.ledger(...everything)).map((row) => `${row.timeMs}|${row.hash}|${row.type}`)),
    ),
  ];
}

type Amounts = ReadonlyMap<string, Decimal>;

const positionsOf = (rows: readonly { dex: string; coin: string; szi: Decimal }[]): Amounts =>
  new Map(rows.filter(({ szi }) => !eq(szi, "0")).map(({ dex, coin, szi }) => [`${dex}|${coin}`, szi]));
const totalsOf = (rows: readonly { coin: string; total: Decimal }[]): Amounts =>
  new Map(rows.filter(({ total }) => !eq(total, "0")).map(({ coin, total }) => [coin, total]));

function countsOf(keys: readonly string[]): Amounts {
  const counts = new Map<string, Decimal>();
  for (const key of keys) counts.set(key, String(Number(counts.get(key) ?? 0) + 1));
  return counts;
}

function unlike(what: string, happened: Amounts, stored: Amounts): string[] {
  const keys = new Set([...happened.keys(), ...stored.keys()]);
  return [...keys].flatMap((key) => {
    const [own, is] = [stored.get(key), happened.get(key)];
    return own !== undefined && is !== undefined && eq(own, is)
      ? []
      : [`${what} ${key}: ${own ?? "missing"}, is ${is ?? "none"}`];
  });
}

function fillDifferences(stored: readonly FillRow[], happened: readonly JsonObject[]): string[] {
  const wire = new Map(happened.map((fill) => [wireKey(fill), fill]));
  const found: string[] = [];
  if (wire.size !== stored.length) found.push(`fills: ${stored.length} stored, ${wire.size} happened`);
  for (const row of stored) {
    const key = storedKey(row);
    const fill = wire.get(key);
    wire.delete(key);
    if (!fill) found.push(`fill ${key} never happened`);
    else if (
      !eq(row.price, fill.px as string) ||
      !eq(row.size, fill.sz as string) ||
      !eq(row.fee, fill.fee as string)
    )
      found.push(`fill ${key} differs`);
  }
  for (const key of wire.keys()) found.push(`fill ${key} is missing`);
  return found;
}

async function orderDifferences(
  store: Store,
  venue: Venue,
  account: string,
  fills: readonly FillRow[],
): Promise<string[]> {
  const found: string[] = [];
  const last = new Map<number, JsonObject>();
  for (const event of venue.truth(account).orderEvents) last.set((event.order as { oid: number }).oid, event);
  const orders = new Map((await store.orders(account)).map((order) => [order.orderId, order]));
  const unserved = union(
    (await store.coverage(account, "orders")).filter(({ grade }) => grade === "unprovable"),
  );
  const filled = new Set(fills.map(({ orderId }) => orderId));
  const isServed = (oid: number) =>
    (venue.info({ type: "orderStatus", user: account, oid }).body as JsonObject).status === "order";
  let gone = 0;
  for (const [oid, event] of last) {
    const own = orders.get(oid);
    if (own?.venueStatus === event.status) continue;
    // What came, went and aged out of the venue's lists while nobody watched can only be said to be unknown, unless
    // it left fills behind by which it can be asked for.
    const timeMs = event.statusTimestamp as number;
    if (!own && !(filled.has(oid) && isServed(oid)) && covers(unserved, { fromMs: timeMs, toMs: timeMs }))
      gone += 1;
    else found.push(`order ${oid}: ${own?.venueStatus ?? "missing"}, is ${event.status}`);
  }
  if (orders.size !== last.size - gone)
    found.push(`orders: ${orders.size} stored, ${last.size - gone} known`);
  return found;
}
