/** The parameters of a request. Pure. Guarantees: one that makes no sense is refused with a `RequestError` that says which. */
import { isAddress } from "../../protocol/address.ts";
import type { Address } from "../../sync/rows.ts";
import { type HttpRequest, RequestError } from "./answer.ts";

export type Followed = readonly { address: Address; alias: string | null }[];

export function accountOf({ query }: Pick<HttpRequest, "query">, followed: Followed): Address {
  const asked = query.get("account");
  if (asked !== null) return accountNamed(asked, followed);
  if (!followed[0]) throw new RequestError("no account is followed");
  return followed[0].address;
}

/** By address or by alias. */
export function accountNamed(asked: string, followed: Followed): Address {
  const found = followed.find(({ address, alias }) => address === asked.toLowerCase() || alias === asked);
  // History of an account that is not followed any more is still worth reading.
  if (!found && isAddress(asked)) return asked.toLowerCase();
  if (!found)
    throw new RequestError("account: expected 0x and 40 hex digits, or the alias of a followed account");
  return found.address;
}

export function whole(
  { query }: HttpRequest,
  name: string,
  least: number,
  most: number,
  fallback: number,
): number {
  const given = query.get(name);
  if (given === null) return fallback;
  const value = Number(given);
  if (!/^\d{1,16}$/.test(given) || value < least || value > most) {
    throw new RequestError(`${name}: expected a whole number from ${least} to ${most}`);
  }
  return value;
}

/** What is stored as a coin may hold anything but NUL, which no text of the database can. */
export function anyCoinOf({ query }: HttpRequest): string | null {
  const coin = query.get("coin");
  if (coin?.includes("\0")) throw new RequestError("coin: expected a market, for example BTC");
  return coin;
}

export function coinOf({ query }: HttpRequest): string {
  const coin = query.get("coin") ?? "";
  if (!/^[\w:@/#.+-]{1,40}$/.test(coin)) throw new RequestError("coin: expected a market, for example BTC");
  return coin;
}

export const orderIdOf = (request: HttpRequest): number =>
  whole(request, "order_id", 0, Number.MAX_SAFE_INTEGER, 0);

/** Whose days are meant: a name as `Europe/Berlin`. */
export function zoneOf({ query }: HttpRequest): string {
  const zone = query.get("zone") ?? "UTC";
  const isKnown = () => {
    try {
      return Boolean(new Intl.DateTimeFormat("en-US", { timeZone: zone }));
    } catch {
      return false;
    }
  };
  // A bare offset means its opposite to PostgreSQL.
  if (!/^[a-z]/i.test(zone) || !isKnown())
    throw new RequestError("zone: expected a time zone, for example Europe/Berlin");
  return zone;
}

const LATEST_MS = 253_402_300_799_999;
export const timeOf = (request: HttpRequest, name: string): number | null =>
  request.query.has(name) ? whole(request, name, 0, LATEST_MS, 0) : null;

export function oneOf<T extends string>({ query }: HttpRequest, name: string, choices: readonly T[]): T {
  const given = query.get(name) ?? choices[0];
  if (!choices.includes(given as T)) throw new RequestError(`${name}: expected one of ${choices.join(", ")}`);
  return given as T;
}
