/**
 * How a simulated venue is set up by text: switches of the protocol and of the market's behaviour, and what its
 * simulated traders do. `a=1,b.c=text` says the same as the JSON `{"a":1,"b":{"c":"text"}}`. Pure.
 */
import * as z from "zod";
import type { Json, JsonObject } from "./contract.ts";
import type { VenueOptions } from "./exchange/venue.ts";
import { complaint, readSwitches, type SwitchChange } from "./server/controlBodies.ts";

export interface Settings extends SwitchChange {
  traders: NonNullable<VenueOptions["traders"]>;
}

const TRADERS = z.union([
  z.literal(false),
  z
    .strictObject({
      coins: z.array(z.string()),
      stepMs: z.int().min(100),
      dailyVolatility: z.number().min(0).max(5),
      takesPerMinute: z.number().min(0).max(6000),
      levels: z.int().min(1).max(100),
      levelUsd: z.number().positive(),
    })
    .partial(),
]);

/** Throws `RangeError` with a text that names what is wrong. */
export function readSettings(value: Json): Settings {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RangeError("expected an object");
  const { traders = {}, ...switches } = value;
  try {
    return { ...readSwitches(switches), traders: TRADERS.parse(traders) as Settings["traders"] };
  } catch (error) {
    throw error instanceof z.ZodError ? new RangeError(complaint(error)) : error;
  }
}

/** JSON, or `restLagMs=500,traders.takesPerMinute=60`, where a value that is no JSON is a text. */
export function readPairs(text: string): Json {
  if (text.trimStart().startsWith("{")) return JSON.parse(text) as Json;
  const settings: JsonObject = {};
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    if (at < 1) throw new RangeError(`expected key=value, not ${JSON.stringify(pair)}`);
    const path = pair.slice(0, at).trim().split(".");
    let inside = settings;
    for (const key of path.slice(0, -1)) {
      if (!Object.hasOwn(inside, key)) inside[key] = {};
      inside = inside[key] as JsonObject;
    }
    inside[path.at(-1)!] = jsonOrText(pair.slice(at + 1).trim());
  }
  return settings;
}

function jsonOrText(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
