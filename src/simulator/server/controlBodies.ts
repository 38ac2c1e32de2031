/**
 * The bodies of the control endpoint, as schemas. Guarantees: what is read is exactly what is meant; a key that nothing
 * knows, a value of another type or a word of no meaning is refused with a text that names it, never ignored.
 */

import * as z from "zod";
import { ADDRESS } from "../../protocol/address.ts";
import { isDecimal } from "../../runtime/decimal.ts";
import type { Json, JsonObject } from "../contract.ts";
import type { ActiveAccount } from "../exchange/activeAccounts.ts";
import { COSTS, type Script } from "../exchange/script.ts";
import type { Switches as ModelSwitches } from "../exchange/switches.ts";
import { CONNECT_FAULTS, type FaultRule, FRAME_FAULTS, REQUEST_FAULTS } from "../faults.ts";
import type { SwitchSettings } from "./switches.ts";

/** The most that stepped time is advanced at once; the simulator answers no request meanwhile. */
const MAX_ADVANCE_MS = 3_600_000;

const address = z
  .string()
  .regex(ADDRESS, "must be an address")
  .transform((text) => text.toLowerCase());
const positiveDecimal = z
  .string()
  .refine((text) => isDecimal(text) && Number(text) > 0, "must be a positive decimal string");
/** Dollars may be a number, too. */
const dollars = z.preprocess((value) => (typeof value === "number" ? String(value) : value), positiveDecimal);
const fraction = z.number().min(0).max(1);
const natural = z.int().min(0);

export const depositBody = z.strictObject({ user: address, usd: dollars });

const tradeBody = z.strictObject({
  user: address,
  fillsPerSecond: z.number().positive().max(1000),
  quietOrdersPerSecond: z.number().min(0).max(1000).optional(),
  twapsPerHour: z.number().min(0).max(1000).optional(),
  coins: z.array(z.string()).min(1).optional(),
  orderUsd: z.number().positive().optional(),
  depositUsd: dollars.optional(),
  makerShare: fraction.optional(),
  cloidShare: fraction.optional(),
});

const FAULT_KINDS = [...FRAME_FAULTS, ...CONNECT_FAULTS, ...REQUEST_FAULTS] as const;

const faultRule = z.strictObject({
  fault: z.enum(FAULT_KINDS, {
    error: ({ input }) => `unknown fault ${JSON.stringify(input)}; use one of ${FAULT_KINDS.join(", ")}`,
  }),
  rate: fraction.optional(),
  times: z.int().positive().optional(),
  skip: natural.optional(),
  fromMs: z.number().optional(),
  untilMs: z.number().optional(),
  /** From now on; instead of `untilMs`. */
  forMs: z.number().positive().optional(),
  ms: z.number().min(0).optional(),
  channel: z.string().optional(),
  user: address.optional(),
  request: z.string().optional(),
  ip: z.string().optional(),
});

/** One rule or a list of them; `forMs` counts from `nowMs`. */
export function readFaultRules(body: Json, nowMs: number): FaultRule[] {
  const rules = z.array(faultRule).parse(Array.isArray(body) ? body : [body]);
  return rules.map(({ forMs, ...rule }) => {
    const until = forMs === undefined ? {} : { untilMs: nowMs + forMs };
    return { ...rule, ...until } as FaultRule;
  });
}

export const clearBody = z.strictObject({ id: z.int().optional() });
export const connectionsBody = z.strictObject({
  do: z.enum(["cut", "halfOpen", "expire"]),
  ip: z.string().optional(),
  user: address.optional(),
});
export const advanceBody = z.strictObject({ ms: z.number().positive().max(MAX_ADVANCE_MS) });
export const clockBody = z.strictObject({ skewMs: z.number() });
export const oracleBody = z.strictObject({ coin: z.string(), px: positiveDecimal });

const kind = <T extends string>(type: T) => z.literal(type);
const outcome = natural;

const scriptBody = z.discriminatedUnion("type", [
  z.strictObject({ type: kind("adl"), user: address, coin: z.string() }),
  z.strictObject({ type: kind("dustConversion"), user: address, coin: z.string() }),
  z.strictObject({ type: kind("createVault"), leader: address, name: z.string(), usd: positiveDecimal }),
  z.strictObject({ type: kind("mint"), user: address, token: z.string(), amount: positiveDecimal }),
  z.strictObject({ type: kind("reward"), user: address, token: z.string(), amount: positiveDecimal }),
  z.strictObject({ type: kind("stakeReward"), user: address, amount: positiveDecimal }),
  z.strictObject({ type: kind("bonus"), user: address, usd: positiveDecimal }),
  z.strictObject({
    type: kind("cost"),
    user: address,
    cost: z.enum(COSTS),
    token: z.string(),
    amount: positiveDecimal,
  }),
  z.strictObject({ type: kind("mintOutcome"), user: address, outcome, amount: positiveDecimal }),
  z.strictObject({
    type: kind("ledger"),
    users: z.array(address).min(1),
    delta: z.looseObject({ type: z.string() }) as unknown as z.ZodType<JsonObject>,
  }),
  z.strictObject({
    type: kind("settleOutcome"),
    outcome,
    winner: z.union([z.literal(0), z.literal(1)]),
  }),
  z.strictObject({
    type: kind("endOrders"),
    user: address,
    coin: z.string().optional(),
    status: z.string().min(1),
  }),
  z.strictObject({
    type: kind("deployDex"),
    name: z.string(),
    coins: z.record(z.string().min(1), positiveDecimal),
  }),
  z.strictObject({ type: kind("delist"), coin: z.string() }),
  z.strictObject({ type: kind("openInterestCap"), coin: z.string(), capped: z.boolean() }),
  z.strictObject({ type: kind("notification"), user: address, notification: z.string() }),
]);

const rows = natural.max(2000);
const modelSwitches = {
  selfTrades: z.enum(["trade", "cancelResting"]),
  partialFillUpdates: z.boolean(),
  ledgerPageSize: z.int().positive(),
  stateTimeLagMs: natural,
  twapByTimeOrder: z.enum(["newestFirst", "oldestFirst"]),
  fillRetention: z.int().positive(),
  filledRowsKeepSize: z.boolean(),
  observeTraders: z.boolean(),
  historyLimit: z.int().positive().nullable(),
  addressLimits: z.boolean(),
  unstakeMs: natural,
  defaultAbstraction: z.enum(["default", "unifiedAccount", "disabled"]),
};
const serverSwitches = {
  allowWebData2: z.boolean(),
  promptStates: z.boolean(),
  emptySnapshots: z.boolean(),
  snapshotRows: z
    .strictObject({
      userFills: rows,
      userHistoricalOrders: rows,
      userFundings: rows,
      userNonFundingLedgerUpdates: rows,
      userTwapSliceFills: rows,
      userTwapHistory: rows,
      trades: rows,
    })
    .partial(),
  restLagMs: natural,
  overConnectionLimit: z.enum(["refuse", "close"]),
  postErrorText: z.enum(["statusAndBody", "statusOnly"]),
  rotateAfterMs: z.int().positive().nullable(),
  unordered: z
    .strictObject({ snapshotBeforeAck: fraction, updatesBeforeReply: fraction, fillsBeforeOrders: fraction })
    .partial(),
  network: z.enum(["mainnet", "testnet", "any"]),
};

const SWITCHES = z.strictObject({ ...serverSwitches, ...modelSwitches }).partial();

/** Of the protocol, and of the market's behaviour. */
export interface SwitchChange {
  server: SwitchSettings;
  model: Partial<ModelSwitches>;
}

/** All switches are in one object, by name. */
export function readSwitches(body: Json): SwitchChange {
  const all = Object.entries(SWITCHES.parse(body));
  const of = (names: object) => Object.fromEntries(all.filter(([name]) => Object.hasOwn(names, name)));
  return { server: of(serverSwitches), model: of(modelSwitches) };
}

/** What is wrong, in one line. */
export function complaint(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
    .join("; ");
}

/** The schemas and the model's own types are two descriptions of one thing. */
export const readScript = (body: Json): Script => scriptBody.parse(body) as Script;
export const readTrade = (body: Json): ActiveAccount => tradeBody.parse(body) as ActiveAccount;
