/** What a frame says, made to rows as a lane and the market's inbox do it; gives how many. */
import type { Content } from "../src/protocol/channels.ts";
import {
  balanceRows,
  bookRow,
  factRows,
  midRows,
  type Origin,
  openOrderRows,
  positionRows,
  tradeRow,
} from "../src/sync/normalize.ts";
import { USER } from "./venueFrames.ts";

const origin: Origin = { account: USER, source: "stream", seenAtMs: 0 };

export function rowsOf(content: Content): number {
  const facts = factRows(content, origin);
  if (facts !== null) return Object.values(facts)[0]!.length;
  switch (content.type) {
    case "openOrders":
      return openOrderRows(origin, content.rows).length;
    case "clearinghouseState":
      return positionRows(USER, content.dex, content.state, 0).length;
    case "spotState":
      return balanceRows(USER, content.state, 0).length;
    case "book":
      return bookRow(content.book).bids.length;
    case "trades":
      return content.rows.map(tradeRow).length;
    case "mids":
      return midRows(content.dex, content.mids, null, 0).length;
    default:
      throw new Error(`no rows of ${content.type}`);
  }
}
