/**
 * The sentence of an event, for people: the same on the console, in the terminal, in chats and in alerts. Pure.
 * Guarantees: one line of printable text of bounded length; numbers are exact, without trailing zeros.
 */
import { isDecimal, isZero, sign } from "../runtime/decimal.ts";
import { printable } from "../runtime/safeText.ts";
import type { Address, ChangeEvent } from "../sync/rows.ts";
import type { EventType } from "./eventTypes.ts";
import type { OutboxEvent } from "./outbox.ts";
import { plainDecimal, word } from "./words.ts";

type Told = Pick<OutboxEvent | ChangeEvent, "type" | "account" | "data">;

export type Tone = "plain" | "good" | "bad" | "state" | "warn";

/** A part of the sentence. */
interface Phrase {
  text: string;
  tone: Tone;
  /** Left out where there is little room. */
  isDetail: boolean;
}

const say = (text: string, tone: Tone = "plain"): Phrase => ({ text, tone, isDetail: false });
const detail = (text: string): Phrase => ({ text, tone: "plain", isDetail: true });

/** Address → name given by the user. */
export type Aliases = ReadonlyMap<Address, string>;

/** `main` or `0x1234…abcd`; empty for no account. */
export const accountName = (account: Address | null, aliases: Aliases): string =>
  account === null ? "" : word(aliases.get(account) ?? `${account.slice(0, 6)}…${account.slice(-4)}`);

const MESSAGE_MAX = 1_500;

/** Of its market, for people: the venue calls spot `@107` and outcomes `#10`. */
export const marketName = ({ name, coin }: Told["data"]): string => word(name ?? coin);

/** The venue's word beside the name for people, where it is another: ` @107`. */
const venueWord = (data: Told["data"]): string =>
  marketName(data) === word(data.coin) ? "" : ` ${word(data.coin)}`;

/** `bought 0.5 BTC at 83000`: what every sentence about a trade begins with. */
export const tradeText = (side: unknown, size: unknown, coin: unknown, price: unknown): string =>
  `${side === "buy" ? "bought" : "sold"} ${plainDecimal(size)} ${word(coin)} at ${plainDecimal(price)}`;

const toneOf = (amount: unknown): Tone => (!isDecimal(amount) || sign(amount) >= 0 ? "good" : "bad");
const sideTone = (side: unknown): Tone => (side === "buy" || side === "long" ? "good" : "bad");

/** The sentence without the account. */
export function eventPhrases({ type, data }: Told): Phrase[] {
  const number = (key: string): string => plainDecimal(data[key]);
  const get = (key: string): string => word(data[key]);
  switch (type as EventType) {
    case "fill.created": {
      const { side, size, price, closed_pnl: pnl } = data;
      return [
        say(tradeText(side, size, marketName(data), price), sideTone(side)),
        ...(isDecimal(pnl) && !isZero(pnl) ? [say(`, closed PnL ${plainDecimal(pnl)}`, toneOf(pnl))] : []),
        detail(`, fee ${number("fee")} ${get("fee_token")} (${number("value")} USD${venueWord(data)})`),
      ];
    }
    case "order.updated": {
      const { filled } = data;
      const done = isDecimal(filled) && !isZero(filled) ? `, ${plainDecimal(filled)} filled` : "";
      return [
        say("order to "),
        say(get("side"), sideTone(data.side)),
        say(` ${number("size")} ${marketName(data)} at ${number("limit_price")} `),
        say(get("status").replaceAll("_", " "), "state"),
        say(done),
        detail(` (${get("venue_status")}, #${get("order_id")}${venueWord(data)})`),
      ];
    }
    case "position.updated":
      if (data.side === "flat") return [say(`position ${get("coin")} closed`)];
      return [
        say(`position ${get("coin")} `),
        say(get("side"), sideTone(data.side)),
        say(` ${number("size")}`),
        detail(`, entry ${number("entry_price")}, unrealized PnL ${number("unrealized_pnl")}`),
      ];
    case "funding.created":
      return [
        say("funding "),
        say(`${number("usdc")} USDC`, toneOf(data.usdc)),
        say(` for ${get("coin")}`),
        detail(` at ${number("funding_rate")}`),
      ];
    case "ledger.created": {
      const [amount, unit] = data.usdc == null ? [data.amount, get("token")] : [data.usdc, "USDC"];
      return [
        say(get("type")),
        say(isDecimal(amount) ? ` ${plainDecimal(amount)} ${unit}` : "", toneOf(amount)),
      ];
    }
    case "drift.found": {
      const end = data.repaired_at_ms === null ? "not repaired" : "repaired";
      return [say(`${get("stream")} differed from the venue (${get("cause")}), ${end}`, "warn")];
    }
    case "gap.opened":
      return [say(`${get("stream")}: history is missing`, "warn")];
    case "gap.closed":
      return [say(`${get("stream")}: history is complete again`)];
    case "webhook.disabled":
      return [say(`webhook ${get("endpoint")} was disabled: ${get("reason")}`, "warn")];
    case "alert.fired":
    case "alert.resolved":
    case "webhook.test":
      return [say(printable(data.message).slice(0, MESSAGE_MAX), type === "alert.fired" ? "warn" : "plain")];
  }
  return [say(word(type))];
}

/** The sentence with its account, on one line: `main: bought 0.5 BTC at 83000 …`. */
export function eventText(event: Told, aliases: Aliases): string {
  const sentence = eventPhrases(event)
    .map(({ text }) => text)
    .join("");
  const who = accountName(event.account, aliases);
  if (who === "") return sentence;
  // The severity of an alert comes first.
  return event.type.startsWith("alert.") ? `${sentence} (${who})` : `${who}: ${sentence}`;
}
