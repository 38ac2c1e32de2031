/**
 * The silences that a wish comes to. A market is meant by its coin or by what people call it, as in `--alert price=…`.
 * Guarantees: one that is not known is a `ConfigError`, for a silence of it would keep nothing quiet; an alert about a market
 * carries its coin, one of a price the name that the user wrote, and both are silenced.
 */
import { ConfigError } from "../../errors.ts";
import type { Queryable } from "../../store/database.ts";
import type { Silence } from "./alertStore.ts";

type Wish = Pick<Silence, "rule" | "coin">;

export async function silencesOf(db: Queryable, { rule, coin: called }: Wish): Promise<Wish[]> {
  if (called === null) return [{ rule, coin: null }];
  const similar = await db.query<{ coin: string; name: string }>(
    `select coin, name from public.hl_markets where lower($1) in (lower(coin), lower(name))
     union select coin, coin from public.hl_positions where lower(coin) = lower($1)
     order by coin, name`,
    [called],
  );
  const meant = similar.filter(({ coin, name }) => coin === called || name === called);
  if (meant.length === 0) throw unknown(called, similar);
  const coins = new Set(meant.map(({ coin }) => coin));
  const names = new Set(meant.map(({ name }) => name)).difference(coins);
  return [
    ...[...coins].map((coin) => ({ rule, coin })),
    ...(rule === null || rule === "price" ? [...names].map((coin) => ({ rule: "price", coin })) : []),
  ];
}

function unknown(called: string, similar: readonly { coin: string; name: string }[]): ConfigError {
  const isCoin = similar.find(({ coin }) => coin.toLowerCase() === called.toLowerCase());
  const written = isCoin?.coin ?? similar[0]?.name;
  const hint = written === undefined ? "" : `, did you mean ${JSON.stringify(written)}?`;
  return new ConfigError(`coin ${JSON.stringify(called)}: no market is called so${hint}`);
}
