/**
 * What is not known for certain of the venue's protocol, as switches; those of its behaviour are the model's. The defaults are what the best evidence says; a client that
 * must be right about the venue is tested with every one of them thrown.
 */
export interface Switches {
  /** Accept the `webData2` subscription, as the venue did until about August 2026. */
  allowWebData2: boolean;
  /** Push `clearinghouseState`, `openOrders`, `spotState`, … in the block of a change too, not only every 5 s. */
  promptStates: boolean;
  /** Send the first message of a feed also when it holds no row. */
  emptySnapshots: boolean;
  /** Rows of the first message of a feed. 30 is measured for fills and orders, 100 reported for the ledger. */
  snapshotRows: {
    userFills: number;
    userHistoricalOrders: number;
    userFundings: number;
    userNonFundingLedgerUpdates: number;
    userTwapSliceFills: number;
    userTwapHistory: number;
    trades: number;
  };
  /** `/info` answers as of this long ago; 0 is at once. */
  restLagMs: number;
  /** Above the connection limit: refuse the upgrade with 429, or accept and close at once. */
  overConnectionLimit: "refuse" | "close";
  /** Text of a post that fails as an HTTP request would. */
  postErrorText: "statusAndBody" | "statusOnly";
  /** Close a connection of this age with 1000 `Expired`; null never. */
  rotateAfterMs: number | null;
  /**
   * What overtakes what, as chances from 0 to 1 that the seed decides. No order between channels, nor between a
   * channel and an answer, is promised; each of these was observed.
   */
  unordered: {
    /** The first message of a subscription comes before its acknowledgement. */
    snapshotBeforeAck: number;
    /** What an action caused comes before its answer, `open` among it. */
    updatesBeforeReply: number;
    /** The fills of a block come before its order updates, whatever was subscribed first. */
    fillsBeforeOrders: number;
  };
  /** Which phantom agent signatures are for. `any` suits SDKs that take an unknown URL for testnet. */
  network: "mainnet" | "testnet" | "any";
}

type Grouped = "snapshotRows" | "unordered";

/** Some of the switches; those of a group that are not named stay as they are. */
export type SwitchSettings = Partial<Omit<Switches, Grouped>> & {
  [Group in Grouped]?: Partial<Switches[Group]>;
};

export function withSettings(
  switches: Readonly<Switches>,
  { snapshotRows, unordered, ...settings }: SwitchSettings,
): Switches {
  return {
    ...switches,
    ...settings,
    snapshotRows: { ...switches.snapshotRows, ...snapshotRows },
    unordered: { ...switches.unordered, ...unordered },
  };
}

export const DEFAULT_SWITCHES: Switches = {
  allowWebData2: false,
  promptStates: false,
  emptySnapshots: true,
  snapshotRows: {
    userFills: 30,
    userHistoricalOrders: 30,
    userFundings: 100,
    userNonFundingLedgerUpdates: 100,
    userTwapSliceFills: 30,
    userTwapHistory: 30,
    trades: 30,
  },
  restLagMs: 0,
  overConnectionLimit: "refuse",
  postErrorText: "statusAndBody",
  rotateAfterMs: 12 * 3_600_000,
  unordered: { snapshotBeforeAck: 0, updatesBeforeReply: 0, fillsBeforeOrders: 0 },
  network: "any",
};
