/** An alert that says it is none, for a channel that is tried out. */
import { deliveryId } from "../delivery/sink.ts";
import type { OutboxEvent } from "../outbox.ts";

export function testAlert(nowMs: number): [OutboxEvent, string] {
  const data = {
    key: "test",
    rule: "test",
    severity: "info",
    state: "event",
    silent: false,
    message: "INFO this is a test of hlsync: alerts arrive here.",
  };
  const event: OutboxEvent = {
    id: 0,
    key: `test:${nowMs}`,
    type: "alert.fired",
    account: null,
    timeMs: nowMs,
    source: "stream",
    committedAtMs: nowMs,
    data,
  };
  return [event, deliveryId(event.key)];
}
