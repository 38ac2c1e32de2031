/** The dexes that the venue lists now, and what of the list could not be read. */
import { isAnswered, ProtocolError } from "../../errors.ts";
import { isWhole, type Unread } from "../../protocol/decode.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import type { VenueInfo } from "../ports.ts";
import type { ListedDexes } from "./states.ts";

export interface DexList extends ListedDexes {
  unread: readonly Unread[];
}

/** Read once for all accounts that are verified. */
export async function listDexes(info: VenueInfo, signal: AbortSignal): Promise<DexList> {
  try {
    const { result } = await info.request(INFO.perpDexs, {}, { priority: "reconcile", signal });
    const { unread } = result;
    const names = [...new Set(["", ...result.value.map((dex) => dex?.name ?? "")])];
    return { names, unread, isWhole: isWhole(unread) };
  } catch (error) {
    if (!isAnswered(error)) throw error;
    const raw = error instanceof ProtocolError ? error.raw : error.message;
    return { names: [""], unread: [{ kind: "row", raw, reason: error.message }], isWhole: false };
  }
}
