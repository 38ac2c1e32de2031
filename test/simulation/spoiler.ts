/**
 * Changes what the venue says on its way to one process. Guarantees: decided by the seed and the number of things said so
 * far; everything that is not named by a rule passes unchanged, also what cannot be read. The venue itself stays right.
 */
import { seededRandom } from "../../src/runtime/random.ts";
import type { RefusedRequest, Spoil, SpoilKind } from "./oddities.ts";

// biome-ignore lint/suspicious/noExplicitAny: what a venue may say
type Any = any;
type Draw = () => number;

interface Shape {
  kinds: readonly SpoilKind[];
  /** Where the state or the list of rows is; undefined where there is none. */
  of(said: Any): Any;
}

const STATE: readonly SpoilKind[] = ["unreadableEntry", "oddDisplay", "shortList", "wrongStamp"];
const ROWS: readonly SpoilKind[] = ["rowStamp", "rowDigits", "rowInteger"];
const same = (said: Any) => said;
const CHANNELS: Readonly<Record<string, Shape>> = {
  clearinghouseState: { kinds: STATE, of: (data) => data?.clearinghouseState },
  spotState: { kinds: STATE, of: (data) => data?.spotState },
  userFills: { kinds: ROWS, of: (data) => data?.fills },
  user: { kinds: ROWS, of: (data) => data?.fills },
  userTwapSliceFills: { kinds: ROWS, of: (data) => data?.twapSliceFills },
  userFundings: { kinds: ROWS, of: (data) => data?.fundings },
  userNonFundingLedgerUpdates: { kinds: ROWS, of: (data) => data?.nonFundingLedgerUpdates },
  userHistoricalOrders: { kinds: ROWS, of: (data) => data?.orderHistory },
  orderUpdates: { kinds: ROWS, of: same },
};
const REQUESTS: Readonly<Record<string, Shape>> = {
  clearinghouseState: { kinds: STATE, of: same },
  spotClearinghouseState: { kinds: STATE, of: same },
  exchangeStatus: { kinds: ["wrongStamp"], of: same },
  userFillsByTime: { kinds: ROWS, of: same },
  userTwapSliceFillsByTime: { kinds: ROWS, of: same },
  userFunding: { kinds: ROWS, of: same },
  userNonFundingLedgerUpdates: { kinds: ROWS, of: same },
  historicalOrders: { kinds: ROWS, of: same },
};

export class Spoiler {
  readonly #spoils: readonly Spoil[];
  readonly #refused: readonly RefusedRequest[];
  readonly #startMs: number;
  readonly #draw: Draw;
  readonly #fired = new Map<Spoil, number>();

  constructor(
    seed: number,
    { spoils, refusedRequests }: { spoils: readonly Spoil[]; refusedRequests: readonly RefusedRequest[] },
    startMs: number,
  ) {
    this.#spoils = spoils;
    this.#refused = refusedRequests;
    this.#startMs = startMs;
    const random = seededRandom(`spoils ${seed}`);
    this.#draw = () => random.next();
  }

  /** How often something was said wrongly. */
  get count(): number {
    return [...this.#fired.values()].reduce((sum, fired) => sum + fired, 0);
  }

  /** A frame as it arrives in its place. */
  frame(text: string, nowMs: number): string {
    const channel = /^\{"channel":"(\w+)"/.exec(text)?.[1] ?? "";
    return this.#pass(CHANNELS[channel], text, nowMs, (frame) => frame?.data);
  }

  /** An answer as it arrives in its place. */
  answer(bodyText: string, answer: { status: number; text: string }, nowMs: number) {
    const request = (JSON.parse(bodyText) as { type: string }).type;
    const at = nowMs - this.#startMs;
    for (const { request: refused, status, fromMs, untilMs } of this.#refused)
      if (refused === request && at >= fromMs && at < untilMs)
        return { status, text: "Failed to deserialize the JSON body into the target type" };
    if (answer.status !== 200) return answer;
    return { ...answer, text: this.#pass(REQUESTS[request], answer.text, nowMs, same) };
  }

  #pass(shape: Shape | undefined, text: string, nowMs: number, inner: (said: Any) => Any): string {
    const at = nowMs - this.#startMs;
    const due = this.#spoils.find(
      (spoil) =>
        at >= spoil.fromMs &&
        at < spoil.untilMs &&
        shape?.kinds.includes(spoil.kind) === true &&
        (this.#fired.get(spoil) ?? 0) < spoil.times &&
        this.#draw() < spoil.rate,
    );
    if (due === undefined || shape === undefined) return text;
    const said = parse(text);
    if (!change(due.kind, shape.of(inner(said)), this.#draw)) return text;
    this.#fired.set(due, (this.#fired.get(due) ?? 0) + 1);
    return JSON.stringify(said);
  }
}

function parse(text: string): Any {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const pick = <T>(draw: Draw, values: readonly T[]): T => values[Math.floor(draw() * values.length)]!;

const DAY_MS = 86_400_000;
/** Stamps that no clock of the venue's shows now: days ahead as often as all that are none. */
const oddStamp = (draw: Draw, timeMs: number, days: number): number =>
  draw() < 0.5
    ? timeMs + days * DAY_MS
    : pick(draw, [timeMs * 1000, 0, -1, Number.MAX_SAFE_INTEGER, Math.floor(timeMs / 1000)]);

/** False when there is nothing to change. */
function change(kind: SpoilKind, target: Any, draw: Draw): boolean {
  if (typeof target !== "object" || target === null) return false;
  switch (kind) {
    case "wrongStamp":
      if (typeof target.time !== "number") return false;
      target.time = oddStamp(draw, target.time, 1);
      return true;
    case "shortList":
    case "unreadableEntry":
    case "oddDisplay":
      return changeList(kind, target.assetPositions ?? target.balances, draw);
    default:
      return Array.isArray(target) && target.length > 0 && changeRow(kind, pick(draw, target), draw);
  }
}

function changeList(kind: SpoilKind, list: Any, draw: Draw): boolean {
  if (!Array.isArray(list) || list.length === 0) return false;
  const at = Math.floor(draw() * list.length);
  const entry = list[at].position ?? list[at];
  if (kind === "shortList") list.splice(draw() < 0.5 ? 0 : at, draw() < 0.5 ? list.length : 1);
  else if (kind === "oddDisplay") {
    if (list[at].position === undefined) entry.token = 2.5;
    else
      pick(draw, [
        () => (entry.leverage.value = 2.5),
        () => (entry.entryPx = {}),
        () => (entry.returnOnEquity = "NaN"),
        () => (entry.liquidationPx = "9".repeat(200)),
        () => (entry.cumFunding = 7),
      ])();
  } else
    pick(draw, [
      () => (list[at] = null),
      () => (list[at] = "row"),
      () => (entry.szi = entry.total = "many"),
      () => (entry.coin = 7),
    ])();
  return true;
}

/** A fill without an odd trade id: that one is told apart by another that hlsync makes. */
function changeRow(kind: SpoilKind, row: Any, draw: Draw): boolean {
  const inner = row.fill ?? row.order ?? row.delta ?? row;
  if (kind === "rowStamp") {
    const [holder, key] = row.order ? [row, "statusTimestamp"] : [row.fill ?? row, "time"];
    // Further than a state: of two stamps that agree it cannot be told that both are wrong.
    holder[key] = oddStamp(draw, holder[key], 2);
    return true;
  }
  const keys = kind === "rowDigits" ? ["px", "sz", "usdc", "amount"] : ["oid"];
  const key = keys.find((one) => one in inner);
  if (key === undefined) return false;
  inner[key] = kind === "rowDigits" ? "9".repeat(200) : pick(draw, [1.5, 1e30, -1, "7"]);
  return true;
}
