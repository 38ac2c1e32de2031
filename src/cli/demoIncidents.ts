/**
 * What happens to a demo soon after it is ready, so that there is something to look at: a connection breaks and its loss
 * is healed, messages get lost without a word and are found missing, a price alert fires and is over again, and a
 * receiver on this machine gets it by webhook. All of it is
 * done to the simulated venue, or set up as a user would; hlsync does the rest.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { addEndpoint, removeEndpoint } from "../outputs/delivery/endpoints.ts";
import { Secret } from "../outputs/delivery/secret.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Service } from "../runtime/lifecycle.ts";
import type { SimulatedVenue } from "../simulator/exchange/venue.ts";
import type { Simulator } from "../simulator/server/server.ts";
import type { Queryable } from "../store/database.ts";
import { isPerp } from "../sync/chain.ts";

const LOOK_MS = 100;
/** Whoever opens the page as soon as it is ready sees it whole, and then what happens. */
const CALM_MS = 5_000;
/** No new connection succeeds for this long: what happens meanwhile has to be read. */
const CUT_MS = 2_000;
const RISE_AFTER_MS = 1_000;
/** Long enough to be noticed by an alert that looks every two seconds. */
const RISE_MS = 6_000;
/** What tells of fills is lost until one of a perp was, and for so long at most, while all else goes on. */
const LOSS_MAX_MS = 60_000;
/** A fill that is lost is found missing within this, or was not missed. */
const FOUND_MS = 15_000;
const LOSSES_MAX = 5;
/** A fill is told of within this. */
const TOLD_MS = 1_000;
/** What tells of fills. */
const LOST_CHANNELS = ["user", "userFills", "orderUpdates"];

const WEBHOOK_ID = "wh_demo";

/** A price move that an alert is set on. */
interface PriceMove {
  coin: string;
  /** For `--alert`. */
  alert: string;
  /** Where the price goes, and where it comes back to. */
  up: string;
  down: string;
}

/** A little above the price of now, and back to a little below it. */
export function planMove(venue: SimulatedVenue, coin: string): PriceMove {
  const price = Number((venue.info({ type: "allMids" }).body as Record<string, string>)[coin]);
  const near = (part: number) => String(Number((price * part).toPrecision(5)));
  return { coin, alert: `price=${coin}>${near(1.004)}`, up: near(1.006), down: near(0.998) };
}

interface Incidents {
  clock: Clock;
  signal: AbortSignal;
  simulator: Simulator;
  venue: SimulatedVenue;
  /** Whose connection breaks. */
  user: string;
  move: PriceMove;
  /** Whether everything was read once. */
  isReady(): boolean;
  /** How many losses of the user were found and healed. */
  healed(): number;
}

/** Rejects with the signal's reason. */
export async function makeIncidents({
  clock,
  signal,
  simulator,
  venue,
  user,
  move,
  isReady,
  healed,
}: Incidents): Promise<void> {
  const { gateway } = simulator;
  const until = async (holds: () => boolean, untilMs: number) => {
    while (clock.now() < untilMs && !holds()) await clock.sleep(LOOK_MS, signal);
  };
  await until(isReady, Number.POSITIVE_INFINITY);
  await clock.sleep(CALM_MS, signal);
  gateway.faults.add({ fault: "refuseSockets", untilMs: clock.now() + CUT_MS });
  for (const session of gateway.sessions())
    if (session.subscriptions.some((subscription) => subscription.user === user)) session.cut();
  await clock.sleep(RISE_AFTER_MS, signal);
  venue.setOracle(move.coin, move.up);
  await clock.sleep(RISE_MS, signal);
  venue.setOracle(move.coin, move.down);
  const before = healed();
  // What is lost while a slow machine still reads what the cut cost is read with it, and never missed: then it is done again.
  for (let losses = 0; losses < LOSSES_MAX && healed() === before; losses++) {
    await loseFill();
    await until(() => healed() > before, clock.now() + FOUND_MS);
  }

  async function loseFill(): Promise<void> {
    const fromMs = clock.now();
    const untilMs = fromMs + LOSS_MAX_MS;
    const rules = LOST_CHANNELS.map((channel) =>
      gateway.faults.add({ fault: "drop", user, channel, untilMs }),
    );
    // Perp fills form a chain that shows the loss at the next one; spot is found missing by the next reconcile only.
    const wasLost = () => {
      const fills = venue.info({ type: "userFills", user }).body as { coin: string; time: number }[];
      return fills.some(({ coin, time }) => time >= fromMs && isPerp(coin));
    };
    await until(wasLost, untilMs);
    await clock.sleep(TOLD_MS, signal);
    for (const id of rules) gateway.faults.remove(id);
  }
}

/** A foreign program on this machine that receives webhooks. */
export async function startReceiver(): Promise<Service & { url: string }> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    name: "receiver of webhooks",
    url: `http://127.0.0.1:${port}/hlsync`,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** That of an earlier demo listened on another port. */
export async function addReceiver(db: Queryable, url: string, nowMs: number): Promise<void> {
  await removeEndpoint(db, WEBHOOK_ID);
  await addEndpoint(db, {
    id: WEBHOOK_ID,
    url: new Secret(url),
    format: "standard",
    events: ["alert.*", "gap.*", "drift.*"],
    accounts: null,
    description: "the demo's own receiver",
    allowPrivate: true,
    maxAgeMs: null,
    sinceMs: nowMs,
  });
}
