/**
 * A venue that answers what a test says: `/info` over HTTP and `/ws`, step by step, with nothing behind it. It shares no code
 * with hlsync or the simulator, so that an error of theirs cannot hide in both sides.
 *
 * Guarantees: what a step does not name is empty, as for an account that has nothing; lists by time are cut to the window
 * and page that was asked for; the text `<now>` anywhere in a step becomes the venue's time when it is sent; weights are
 * counted as the venue counts them; `close` leaves no socket behind. States are pushed every `pushMs`, and rows that a
 * step adds are streamed when it begins, unless it is silent.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

export type Wire = Record<string, unknown>;

/** An answer with another status than 200; a string is sent as text. */
export class Refusal {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown = null) {
    this.status = status;
    this.body = body;
  }
}

/** An answer as text, whatever it is. */
export class RawText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What the venue says from now on. */
export interface Step {
  /** By dex; "" is the first one. */
  clearinghouse?: Record<string, unknown>;
  spot?: unknown;
  abstraction?: string | null;
  /** Oldest first, as all lists here. */
  fills?: readonly unknown[];
  twapFills?: readonly unknown[];
  funding?: readonly unknown[];
  ledger?: readonly unknown[];
  /** `{order, status, statusTimestamp}`. */
  historical?: readonly unknown[];
  /** By dex. */
  openOrders?: Record<string, readonly unknown[]>;
  /** Of the first dex. */
  mids?: unknown;
  /** Names of HIP-3 dexes. */
  dexes?: readonly string[];
  /** Ahead of the clock of this machine by so much. */
  clockMs?: number;
  /** Whole answers by request type, or functions of the request; undefined leaves the default. */
  answers?: Record<string, unknown | ((request: Wire) => unknown)>;
}

const EMPTY_SUMMARY = { accountValue: "0.0", totalNtlPos: "0.0", totalRawUsd: "0.0", totalMarginUsed: "0.0" };
export const EMPTY_STATE = {
  marginSummary: EMPTY_SUMMARY,
  crossMarginSummary: EMPTY_SUMMARY,
  crossMaintenanceMarginUsed: "0.0",
  withdrawable: "0.0",
  assetPositions: [],
  time: "<now>",
};
const EMPTY_SPOT = { balances: [] };

/** Enough of a market for what prices are asked of. */
const PERPS = ["BTC", "ETH", "HYPE", "TON"].map((name) => ({ name, szDecimals: 4, maxLeverage: 40 }));
const TOKENS = [
  { name: "USDC", index: 0 },
  { name: "HYPE", index: 150 },
].map((token) => ({ ...token, szDecimals: 2, weiDecimals: 8, tokenId: "0x1", isCanonical: true }));
const SPOT = [{ name: "@107", index: 107, tokens: [150, 0], isCanonical: false }];
export const MIDS = { BTC: "100000.0", ETH: "4000.0", HYPE: "40.0", TON: "100000.0", "@107": "40.0" };

const PAGE = 2_000;
const WEIGHTS: Record<string, number> = {
  clearinghouseState: 2,
  spotClearinghouseState: 2,
  orderStatus: 2,
  exchangeStatus: 2,
  allMids: 2,
  l2Book: 2,
  userRole: 60,
};
const ITEMS_PER_WEIGHT: Record<string, number> = {
  userFills: 20,
  userFillsByTime: 20,
  userTwapSliceFills: 20,
  userTwapSliceFillsByTime: 20,
  userFunding: 20,
  historicalOrders: 20,
  twapHistory: 20,
  candleSnapshot: 60,
};

const wireOf = (value: unknown): Wire => (typeof value === "object" && value !== null ? (value as Wire) : {});
const timeOf = (row: unknown): number => {
  const wire = wireOf(row);
  return Number(wire.statusTimestamp ?? wire.time ?? wireOf(wire.fill).time);
};
const oidOf = (row: unknown): unknown => wireOf(wireOf(row).order).oid ?? wireOf(row).oid;

export class ScriptedVenue {
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #subscribed = new Map<WebSocket, Wire[]>();
  /** Confirms no subscription and answers no ping. */
  isMute = false;
  readonly #timer: NodeJS.Timeout;
  #step: Step = {};
  /** Every request, in order. */
  readonly asked: Wire[] = [];
  weight = 0;

  static async start(pushMs = 1_000): Promise<ScriptedVenue> {
    const venue = new ScriptedVenue(pushMs);
    await new Promise<void>((resolve) => venue.#http.listen(0, "127.0.0.1", resolve));
    return venue;
  }

  private constructor(pushMs: number) {
    this.#http = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      this.#answer(Buffer.concat(parts).toString("utf8"), response);
    });
    this.#http.on("upgrade", (request, socket, head) =>
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#serve(client)),
    );
    this.#timer = setInterval(() => this.pushStates(), pushMs);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get nowMs(): number {
    return Date.now() + (this.#step.clockMs ?? 0);
  }

  /** From now on. Rows that the step before lacked are streamed; a silent step only answers them. */
  begin(step: Step, silent = false): void {
    const before = this.#step;
    this.#step = step;
    if (silent) return;
    const added = (key: "fills" | "twapFills" | "funding" | "ledger" | "historical") => {
      const known = new Set((before[key] ?? []).map((row) => JSON.stringify(row)));
      return (step[key] ?? []).filter((row) => !known.has(JSON.stringify(row)));
    };
    const stream = (type: string, key: string, rows: readonly unknown[]) => {
      if (rows.length > 0) this.push(type, (user) => ({ user, [key]: rows }));
    };
    stream("userFills", "fills", added("fills"));
    stream("userTwapSliceFills", "twapSliceFills", added("twapFills"));
    stream("userFundings", "fundings", added("funding").map(flatFunding));
    stream("userNonFundingLedgerUpdates", "nonFundingLedgerUpdates", added("ledger"));
    stream("userHistoricalOrders", "orderHistory", added("historical"));
    this.pushStates();
  }

  /** Sends data on a channel to whoever subscribed to it. */
  push(type: string, data: (user: unknown, subscription: Wire) => unknown): void {
    for (const [client, subscriptions] of this.#subscribed) {
      for (const subscription of subscriptions)
        if (subscription.type === type) this.#send(client, type, data(subscription.user, subscription));
    }
  }

  /** Sends a frame as it stands to every client. */
  pushText(text: string): void {
    for (const client of this.#subscribed.keys()) client.send(text);
  }

  /** Subscriptions that are held now. */
  get subscriptions(): Wire[] {
    return [...this.#subscribed.values()].flat();
  }

  get connections(): number {
    return this.#subscribed.size;
  }

  pushStates(): void {
    for (const type of Object.keys(this.#states)) {
      this.push(type, (user, subscription) => this.#states[type]!(user, subscription));
    }
  }

  cut(): void {
    for (const client of this.#sockets.clients) client.terminate();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.cut();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  readonly #states: Record<string, (user: unknown, subscription: Wire) => unknown> = {
    clearinghouseState: (user, { dex = "" }) => {
      const clearinghouseState = this.#valueOf({ type: "clearinghouseState", user, dex });
      return clearinghouseState instanceof Refusal ? null : { dex, user, clearinghouseState };
    },
    openOrders: (user, { dex = "" }) => {
      const orders = this.#valueOf({ type: "frontendOpenOrders", user, dex });
      return orders instanceof Refusal ? null : { dex, user, orders };
    },
    spotState: (user) => {
      const spotState = this.#valueOf({ type: "spotClearinghouseState", user });
      return spotState instanceof Refusal ? null : { user, spotState };
    },
    webData3: (user) => ({
      userState: {
        agentAddress: null,
        agentValidUntil: null,
        cumLedger: "0.0",
        serverTime: "<now>",
        isVault: false,
        user,
        ...(this.#step.abstraction ? { abstraction: this.#step.abstraction } : {}),
      },
      perpDexStates: [{ totalVaultEquity: "0.0" }],
    }),
  };

  readonly #snapshots: Record<string, () => Wire> = {
    userFills: () => ({ fills: [...(this.#step.fills ?? [])].slice(-30).reverse() }),
    userTwapSliceFills: () => ({ twapSliceFills: [...(this.#step.twapFills ?? [])].slice(-30).reverse() }),
    userFundings: () => ({ fundings: (this.#step.funding ?? []).slice(-30).map(flatFunding) }),
    userNonFundingLedgerUpdates: () => ({ nonFundingLedgerUpdates: (this.#step.ledger ?? []).slice(-30) }),
    userHistoricalOrders: () => ({ orderHistory: [...(this.#step.historical ?? [])].slice(-30).reverse() }),
  };

  #serve(client: WebSocket): void {
    this.#subscribed.set(client, []);
    client.on("close", () => this.#subscribed.delete(client));
    client.on("error", () => {});
    client.on("message", (bytes) => {
      const { method, subscription } = JSON.parse(String(bytes)) as { method: string; subscription: Wire };
      const held = this.#subscribed.get(client) ?? [];
      const confirm = () =>
        this.isMute || this.#send(client, "subscriptionResponse", { method, subscription });
      if (method === "ping") this.isMute || client.send('{"channel":"pong"}');
      else if (method === "unsubscribe") {
        const gone = JSON.stringify(subscription);
        this.#subscribed.set(
          client,
          held.filter((one) => JSON.stringify(one) !== gone),
        );
        confirm();
      } else if (method === "subscribe") {
        held.push(subscription);
        confirm();
        const { type, user } = subscription;
        const state = this.#states[String(type)]?.(user, subscription);
        const rows = this.#snapshots[String(type)]?.();
        if (state) this.#send(client, String(type), state);
        if (rows) this.#send(client, String(type), { isSnapshot: true, user, ...rows });
      }
    });
  }

  #send(client: WebSocket, channel: string, data: unknown): void {
    if (data !== null) client.send(this.#text({ channel, data }));
  }

  #text(value: unknown): string {
    return (JSON.stringify(value) ?? "null").replaceAll('"<now>"', String(this.nowMs));
  }

  #answer(body: string, response: ServerResponse): void {
    const request = JSON.parse(body) as Wire;
    const type = String(request.type);
    this.asked.push(request);
    const value = this.#valueOf(request);
    if (value instanceof RawText) {
      response.writeHead(200, { "content-type": "application/json" });
      return void response.end(value.text);
    }
    const items = Array.isArray(value) ? Math.floor(value.length / (ITEMS_PER_WEIGHT[type] ?? Infinity)) : 0;
    this.weight += (WEIGHTS[type] ?? 20) + items;
    const { status, body: sent } = value instanceof Refusal ? value : { status: 200, body: value };
    const isText = status !== 200 && typeof sent === "string";
    response.writeHead(status, { "content-type": isText ? "text/plain" : "application/json" });
    response.end(isText ? sent : this.#text(sent));
  }

  #valueOf(request: Wire): unknown {
    const type = String(request.type);
    const scripted = this.#step.answers?.[type];
    const value = typeof scripted === "function" ? scripted(request) : scripted;
    if (value !== undefined) return value;
    const fallback = this.#defaults[type];
    return fallback === undefined
      ? new Refusal(422, "Failed to deserialize the JSON body into the target type")
      : fallback(request);
  }

  readonly #defaults: Record<string, (request: Wire) => unknown> = {
    clearinghouseState: ({ dex }) => this.#step.clearinghouse?.[String(dex ?? "")] ?? EMPTY_STATE,
    spotClearinghouseState: () => this.#step.spot ?? EMPTY_SPOT,
    userAbstraction: () => this.#step.abstraction ?? "default",
    frontendOpenOrders: ({ dex }) => this.#step.openOrders?.[String(dex ?? "")] ?? [],
    historicalOrders: () => [...(this.#step.historical ?? [])].reverse().slice(0, PAGE),
    orderStatus: ({ oid }) => this.#orderStatus(oid),
    userFillsByTime: (request) => within(this.#step.fills ?? [], request),
    userFills: () => [...(this.#step.fills ?? [])].slice(-PAGE).reverse(),
    userTwapSliceFillsByTime: (request) => within(this.#step.twapFills ?? [], request).reverse(),
    twapHistory: () => [],
    userFunding: (request) => within(this.#step.funding ?? [], request).slice(0, 500),
    userNonFundingLedgerUpdates: (request) => within(this.#step.ledger ?? [], request),
    exchangeStatus: () => ({ time: "<now>", specialStatuses: null }),
    perpDexs: () => [null, ...(this.#step.dexes ?? []).map((name) => ({ name, fullName: name }))],
    allMids: ({ dex }) => (dex ? {} : (this.#step.mids ?? MIDS)),
    meta: ({ dex }) => ({ universe: dex ? [] : PERPS, marginTables: [], collateralToken: 0 }),
    metaAndAssetCtxs: ({ dex }) => [
      { universe: dex ? [] : PERPS, marginTables: [], collateralToken: 0 },
      dex ? [] : PERPS.map(() => ({ dayNtlVlm: "1.0" })),
    ],
    spotMeta: () => ({ tokens: TOKENS, universe: SPOT }),
    spotMetaAndAssetCtxs: () => [
      { tokens: TOKENS, universe: SPOT },
      SPOT.map(({ name: coin }) => ({ coin, markPx: "40.0", midPx: "40.0", dayNtlVlm: "1.0" })),
    ],
    candleSnapshot: () => [],
    userRole: () => ({ role: "user" }),
    userVaultEquities: () => [],
    delegatorSummary: () => ({
      delegated: "0.0",
      undelegated: "0.0",
      totalPendingWithdrawal: "0.0",
      nPendingWithdrawals: 0,
    }),
    delegations: () => [],
    delegatorHistory: () => [],
    delegatorRewards: () => [],
    borrowLendUserState: () => ({ tokenToState: [], health: "healthy", healthFactor: null }),
    userBorrowLendInterest: () => [],
    portfolio: () => [],
    subAccounts: () => null,
    extraAgents: () => [],
    userFees: () => ({ userCrossRate: "0.00045", userAddRate: "0.00015" }),
    userRateLimit: () => ({ cumVlm: "0.0", nRequestsUsed: 0, nRequestsCap: 10_000 }),
  };

  #orderStatus(oid: unknown): unknown {
    const open = Object.values(this.#step.openOrders ?? {}).flat();
    const resting = open.find((order) => oidOf(order) === oid);
    if (resting !== undefined) {
      const order = { order: resting, status: "open", statusTimestamp: wireOf(resting).timestamp };
      return { status: "order", order };
    }
    const row = [...(this.#step.historical ?? [])].reverse().find((one) => oidOf(one) === oid);
    return row === undefined ? { status: "unknownOid" } : { status: "order", order: row };
  }
}

/** Both bounds inclusive; at most a page from the start, or with `reversed` from the end. A row without a time is in all. */
function within(rows: readonly unknown[], { startTime, endTime, reversed }: Wire): unknown[] {
  const inside = rows.filter((row) => {
    const timeMs = timeOf(row);
    return (
      Number.isNaN(timeMs) || (timeMs >= Number(startTime ?? 0) && timeMs <= Number(endTime ?? Infinity))
    );
  });
  return reversed === true ? inside.slice(-PAGE).reverse() : inside.slice(0, PAGE);
}

/** As the stream tells a payment: flat. */
const flatFunding = (row: unknown): Wire => {
  const { time, delta } = wireOf(row);
  const { type: _type, ...rest } = wireOf(delta);
  return { time, ...rest };
};
