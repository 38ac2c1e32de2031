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
  /** Which phantom agent signatures are for. `any` suits SDKs that take an unknown URL for testnet. */
  network: "mainnet" | "testnet" | "any";
}

/** Some of the switches; rows that are not named stay as they are. */
export type SwitchSettings = Partial<Omit<Switches, "snapshotRows">> & {
  snapshotRows?: Partial<Switches["snapshotRows"]>;
};

export function withSettings(
  switches: Readonly<Switches>,
  { snapshotRows, ...settings }: SwitchSettings,
): Switches {
  return { ...switches, ...settings, snapshotRows: { ...switches.snapshotRows, ...snapshotRows } };
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
  network: "any",
};
