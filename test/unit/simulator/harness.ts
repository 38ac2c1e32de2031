/** A gateway in virtual time over a scripted venue, and a client that talks to it without latency. */
import type { Json, JsonObject } from "../../../src/simulator/contract.ts";
import { createGateway, type GatewayOptions } from "../../../src/simulator/server/gateway.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import { type ScriptedVenue, scriptedVenue } from "./scriptedVenue.ts";

export const START_MS = 1_790_000_000_000;
export const USER = `0x${"a".repeat(40)}`;
export const OTHER = `0x${"b".repeat(40)}`;

export function setUp(options: Partial<GatewayOptions> = {}) {
  const venue: ScriptedVenue = scriptedVenue(START_MS);
  const clock = new VirtualClock(START_MS);
  const gateway = createGateway({ venue, clock, ...options });
  return { venue, clock, gateway, client: (ip = "10.0.0.1") => connectClient(gateway, ip) };
}

/** Throws when the connection is not admitted. */
function connectClient(gateway: ReturnType<typeof createGateway>, ip: string) {
  const admission = gateway.admit(ip);
  if (!admission.admitted) throw new Error(`refused with ${admission.status}`);
  const frames: { channel: string; data: Json }[] = [];
  const texts: string[] = [];
  const ended: string[] = [];
  const connection = gateway.connect(ip, {
    send(text) {
      texts.push(text);
      try {
        frames.push(JSON.parse(text));
      } catch {
        frames.push({ channel: "(unreadable)", data: text });
      }
    },
    close: (code, reason) => ended.push(`close ${code} ${reason}`),
    terminate: () => ended.push("terminated"),
    freeze: () => ended.push("frozen"),
  });
  const send = (message: Json) =>
    connection.receive(typeof message === "string" ? message : JSON.stringify(message));
  return {
    /** Everything received; `take` empties it. */
    frames,
    texts,
    ended,
    send,
    closed: () => connection.closed(),
    subscribe: (subscription: JsonObject) => send({ method: "subscribe", subscription }),
    unsubscribe: (subscription: JsonObject) => send({ method: "unsubscribe", subscription }),
    take() {
      texts.length = 0;
      return frames.splice(0);
    },
  };
}
