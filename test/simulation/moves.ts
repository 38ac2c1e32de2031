/**
 * The account's money, moved in every way the model knows: stakes, vaults, loans, classes, dexes, spot, other users. Pure but
 * for the venue it acts on. Refused moves are fine.
 */
import type { Random } from "../../src/runtime/random.ts";
import type { JsonObject } from "../../src/simulator/contract.ts";
import type { SimulatedVenue } from "../../src/simulator/exchange/venue.ts";
import type { Mode } from "./oddities.ts";

const LEADER = `0x${"1ead".repeat(10)}`;
const STRANGER = `0x${"57ae".repeat(10)}`;
const VALIDATOR = `0x${"5a1d".repeat(10)}`;
/** What is traded besides the usual perps. */
export const MOVED_COINS = ["@107", "xyz:AAPL"];
const HYPE_USDC = 10_107;
const AAPL = 110_001;
const IOC = { limit: { tif: "Ioc" } };

export class Moves {
  readonly #venue: SimulatedVenue;
  readonly #account: string;
  readonly #vault: string;

  /** Gives the account something to move. */
  constructor(venue: SimulatedVenue, account: string, mode: Mode) {
    this.#venue = venue;
    this.#account = account;
    venue.setSwitches({ unstakeMs: 8_000 });
    venue.deposit(LEADER, "5000");
    this.#act(LEADER, { type: "createVault", name: "moves", description: "", initialUsd: 1_000_000_000 });
    this.#vault = (venue.truth(LEADER).ledger.at(-1)!.delta as JsonObject).vault as string;
    for (const [token, amount] of [
      ["HYPE", "60"],
      ["USDC", "3000"],
      ["PURR", "500"],
    ] as const)
      venue.script({ type: "mint", user: account, token, amount });
    this.#act(account, { type: "userSetAbstraction", user: account, abstraction: mode });
  }

  move(random: Random): void {
    const amount = (1 + Math.floor(random.next() * 5_000) / 100).toFixed(2);
    const moves = this.#moves(random, amount);
    this.#act(this.#account, moves[Math.floor(random.next() * moves.length)]!);
  }

  #moves(random: Random, amount: string): JsonObject[] {
    const isIn = random.next() < 0.5;
    const wei = Math.round(Number(amount) * 1e7);
    const usd = Math.round(Number(amount) * 1e6);
    const [from, to] = isIn ? ["", "xyz"] : ["xyz", ""];
    const send = (
      sourceDex: string,
      destinationDex: string,
      token = "USDC",
      destination = this.#account,
    ) => ({ type: "sendAsset", destination, sourceDex, destinationDex, token, amount });
    const order = (asset: number, px: string, size: string): JsonObject => ({
      type: "order",
      orders: [{ a: asset, b: isIn, p: px, s: size, r: false, t: IOC }],
      grouping: "na",
    });
    const lend = (operations: [string, string], token: number, lent: string): JsonObject => ({
      type: "borrowLend",
      operation: operations[isIn ? 0 : 1],
      token,
      amount: lent,
    });
    return [
      { type: "cDeposit", wei },
      { type: "tokenDelegate", validator: VALIDATOR, wei: Math.floor(wei / 2), isUndelegate: false },
      { type: "cWithdraw", wei: Math.floor(wei / 3) },
      { type: "vaultTransfer", vaultAddress: this.#vault, isDeposit: isIn, usd },
      lend(["supply", "withdraw"], 0, amount),
      lend(["supply", "withdraw"], 150, "1.5"),
      lend(["borrow", "repay"], 0, amount),
      { type: "usdClassTransfer", amount, toPerp: isIn },
      { type: "PerpDexClassTransfer", dex: "xyz", amount, toPerp: isIn },
      send(from!, to!),
      send("spot", "xyz"),
      send("spot", "spot", "PURR", STRANGER),
      { type: "usdSend", destination: STRANGER, amount },
      { type: "withdraw3", amount, destination: STRANGER },
      order(HYPE_USDC, isIn ? "43" : "40.5", "0.5"),
      order(AAPL, isIn ? "255" : "248", "0.2"),
    ];
  }

  #act(user: string, action: JsonObject): void {
    this.#venue.execute(user, action, { nonce: this.#venue.nowMs });
  }
}
