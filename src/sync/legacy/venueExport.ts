/**
 * The trade history as the venue's page exports it (`time,coin,dir,px,sz,ntl,fee,closedPnl`). Pure. It names neither order
 * nor trade nor millisecond, so its rows can only stand for time that the venue no longer serves; they are told apart by
 * their content and, among equals, by their number (`tradeId` is negative, `orderId` 0). The file's times are those of the
 * browser that wrote it, its closed profit is net of the fee; dates come day first or month first.
 */
import { add, isZero, lt, mul, round } from "../../runtime/decimal.ts";
import { numberOfContent } from "../normalize.ts";
import type { Address, FillRow, Side } from "../rows.ts";
import { decimal, type LegacyRow, needed, neededDecimal, Unread } from "./cells.ts";

const COLUMNS = ["time", "coin", "dir", "px", "sz", "fee", "closedPnl"];

export const isVenueExport = (columns: readonly string[]): boolean =>
  COLUMNS.every((name) => columns.includes(name));

const TIME = /^(\d{1,2})\/(\d{1,2})\/(\d{4})(?: - |,? )(\d{2}):(\d{2}):(\d{2})$/;
type DateOrder = "day first" | "month first";

/** Which order the dates of a file have; null when none of them tells. */
export function dateOrder(rows: readonly LegacyRow[]): DateOrder | null {
  let found: DateOrder | null = null;
  for (const row of rows) {
    const [, first = 0, second = 0] = (TIME.exec(row.time ?? "") ?? []).map(Number);
    const told = first > 12 ? "day first" : second > 12 ? "month first" : null;
    if (told !== null && found !== null && told !== found) return null;
    found ??= told;
  }
  return found;
}

/** Year, month from 1, day, hours, minutes and seconds of the clock that the file was written by, in milliseconds. */
export type LocalMs = (parts: readonly [number, number, number, number, number, number]) => number;

interface ExportFile {
  account: Address;
  order: DateOrder;
  localMs: LocalMs;
  /** How often each content came so far. */
  counts: Map<string, number>;
}

const BUYS = /^(Buy$|Open Long|Close Short|Short > Long)/;
const SELLS = /^(Sell$|Open Short|Close Long|Long > Short)/;
/** Digits of USDC; more of them come of arithmetic in the page. */
const CENTS = 8;

export function exportedFill(row: LegacyRow, file: ExportFile): FillRow {
  const coin = needed(row, "coin");
  if (coin.includes("/") && coin !== "PURR/USDC") throw new Unread("a spot pair under its name for people");
  // Another dex may take its fees in another token.
  if (coin.includes(":")) throw new Unread("a market of another dex: the token of its fee is not told");
  const direction = needed(row, "dir");
  const [price, size, fee] = [neededDecimal(row, "px"), neededDecimal(row, "sz"), neededDecimal(row, "fee")];
  if (lt(size, "0") || lt(price, "0")) throw new Unread("size or price is negative");
  const side = sideOf(direction);
  const feeToken = coin === "PURR/USDC" && side === "buy" ? "PURR" : "USDC";
  const net = decimal(row, "closedPnl");
  if (net === null) throw new Unread("no closedPnl");
  const isOpening = direction.startsWith("Open ");
  const paid = feeToken === "USDC" ? fee : mul(fee, price);
  const timeMs = timeOf(needed(row, "time"), file);
  const content = [file.account, timeMs, coin, direction, price, size, fee, net].join("|");
  const count = (file.counts.get(content) ?? 0) + 1;
  file.counts.set(content, count);
  return {
    account: file.account,
    coin,
    timeMs,
    side,
    size,
    price,
    value: mul(price, size),
    fee,
    feeToken,
    startPosition: null,
    direction,
    closedPnl: isOpening ? "0.0" : withoutNoise(add(net, paid)),
    orderId: 0,
    tradeId: numberOfContent(`${content}|${count}`),
    hash: null,
    crossed: null,
    cloid: null,
    builderFee: null,
    twapId: null,
    liquidation: null,
    raw: { ...row },
    source: "legacy",
    seenAtMs: timeMs,
  };
}

const withoutNoise = (value: string): string => {
  const rounded = round(value, CENTS);
  return isZero(rounded) ? "0.0" : rounded;
};

function sideOf(direction: string): Side {
  if (BUYS.test(direction)) return "buy";
  if (SELLS.test(direction)) return "sell";
  throw new Unread("dir does not tell the side");
}

function timeOf(text: string, { order, localMs }: ExportFile): number {
  const [, first = 0, second = 0, year = 0, hours = 0, minutes = 0, seconds = 0] = (
    TIME.exec(text) ?? []
  ).map(Number);
  const [day, month] = order === "day first" ? [first, second] : [second, first];
  if (year === 0 || day < 1 || day > 31 || month < 1 || month > 12)
    throw new Unread("time is no date of the export");
  return localMs([year, month, day, hours, minutes, seconds]);
}
