/**
 * The official Python SDK, unchanged: its Info and its WebSocket manager. Runs where `python3` can import it
 * (`pip install hyperliquid-python-sdk`), else it is skipped and says so.
 */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { BUSY, type SdkVenue, startSdkVenue } from "./sdkVenue.ts";

const found = spawnSync("python3", ["-c", "import hyperliquid"], { stdio: "ignore" });
const skip =
  found.status === 0
    ? false
    : "python3 cannot import hyperliquid; `pip install hyperliquid-python-sdk` makes this test run";

let world: SdkVenue;
before(async () => {
  if (skip === false) world = await startSdkVenue({ speed: 1 });
});
after(() => world?.simulator.stop());

/** Asks, subscribes, waits for a first message of each subscription, and prints all of it as JSON. */
const PROGRAM = `
import json, sys, threading
from hyperliquid.info import Info

url, user = sys.argv[1:]
info = Info(url)
answers = {
    "mids": info.all_mids(),
    "state": info.user_state(user),
    "fills": info.user_fills(user),
    "open": info.frontend_open_orders(user),
    "meta": info.meta(),
    "book": info.l2_snapshot("BTC"),
}
messages = {}
arrived = threading.Semaphore(0)

def keep(message):
    if message["channel"] not in messages:
        messages[message["channel"]] = message["data"]
        arrived.release()

wanted = [
    {"type": "allMids"},
    {"type": "l2Book", "coin": "BTC"},
    {"type": "trades", "coin": "BTC"},
    {"type": "userFills", "user": user},
    {"type": "orderUpdates", "user": user},
    {"type": "userEvents", "user": user},
]
for subscription in wanted:
    info.subscribe(subscription, keep)
complete = all(arrived.acquire(timeout=60) for _ in wanted)
info.disconnect_websocket()
print(json.dumps({"answers": answers, "messages": messages, "complete": complete}))
`;

interface Printed {
  answers: { mids: Record<string, string>; fills: unknown[]; meta: { universe: unknown[] } };
  messages: Record<string, unknown> & { userFills: { user: string; isSnapshot?: boolean } };
  complete: boolean;
}

test("the Python SDK's Info and WebSocket manager work against the simulator", { skip }, async () => {
  const { stdout } = await promisify(execFile)("python3", ["-c", PROGRAM, world.simulator.url, BUSY], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const { answers, messages, complete } = JSON.parse(stdout) as Printed;
  assert.ok(complete, `only ${Object.keys(messages).join()} arrived`);
  assert.ok(Number(answers.mids.BTC) > 0);
  assert.ok(answers.fills.length > 0 && answers.meta.universe.length > 0);
  assert.deepEqual(Object.keys(messages).sort(), [
    "allMids",
    "l2Book",
    "orderUpdates",
    "trades",
    "user",
    "userFills",
  ]);
  assert.equal(messages.userFills.user, BUSY);
});
