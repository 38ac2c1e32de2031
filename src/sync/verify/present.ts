/**
 * What time it is at the venue, for `verify`. Guarantees: one answer that tells a wrong time, or none, moves nothing and is a
 * finding. Where it is far from our clock a state of the account decides which of the two is wrong.
 */
import { INFO } from "../../protocol/infoRequests.ts";
import { TIME_LIMITS } from "../account/venueTime.ts";
import { type Asking, ask, noteUnread, unlessUnreadable } from "./witness.ts";

const agree = (aMs: number, bMs: number): boolean => Math.abs(aMs - bMs) <= TIME_LIMITS.agreeMs;

export async function venuePresentMs(run: Asking): Promise<number> {
  const { account, clock, info } = run;
  const status = await unlessUnreadable(info.request(INFO.exchangeStatus, {}, ask(run)));
  const toldMs = status?.result.value.time;
  const nowMs = clock.now();
  if (toldMs !== undefined && agree(toldMs, nowMs)) return toldMs;
  const state = await unlessUnreadable(
    info.request(INFO.clearinghouseState, { user: account, dex: "" }, ask(run)),
  );
  const stateMs = state?.result.value.time ?? nowMs;
  if (toldMs !== undefined) {
    if (agree(toldMs, stateMs)) return toldMs;
    const reason = "a time far from that of states and from this machine's clock: it is not believed";
    noteUnread(run, INFO.exchangeStatus.type, [{ kind: "row", raw: { time: toldMs }, reason }]);
  }
  return agree(stateMs, nowMs) ? stateMs : nowMs;
}
