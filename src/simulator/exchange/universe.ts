/**
 * What is listed: perp dexes, tokens and spot pairs, in the venue's metadata shapes. Pure data and its types.
 * The default universe copies szDecimals, maxLeverage and margin tables of the real capture of 2026-09-25
 * (`bytex/mainnet_2026-09-25.json`) and 2025-07-16 (`gareth0712/info/meta.json`), with prices of that time.
 */
import type { Decimal } from "../../runtime/decimal.ts";

export interface PerpListing {
  name: string;
  szDecimals: number;
  maxLeverage: number;
  marginTableId: number;
  /** Starting oracle price. */
  price: Decimal;
  isDelisted?: true;
  onlyIsolated?: true;
  marginMode?: "strictIsolated" | "noCross";
}

export interface MarginTable {
  id: number;
  description: string;
  tiers: { lowerBound: Decimal; maxLeverage: number }[];
}

export interface DexListing {
  /** "" is the first dex; a HIP-3 dex has a name, and its coins are called `name:COIN`. */
  name: string;
  fullName: string;
  collateralToken: number;
  perps: PerpListing[];
}

export interface TokenListing {
  name: string;
  index: number;
  szDecimals: number;
  weiDecimals: number;
  fullName: string | null;
  isCanonical: boolean;
  /** Total supply, whole tokens. */
  supply: Decimal;
}

export interface SpotListing {
  name: string;
  index: number;
  /** Indexes of base and quote token. */
  tokens: [number, number];
  isCanonical: boolean;
  price: Decimal;
}

/** An outcome market: books and fills as `#N`, balances as `+N` (N = 10·outcome + side). */
export interface OutcomeListing {
  outcome: number;
  name: string;
  description: string;
  sides: [string, string];
  /** The side that was paid, once it is settled. */
  winner?: 0 | 1;
}

export interface Universe {
  dexes: DexListing[];
  marginTables: MarginTable[];
  tokens: TokenListing[];
  spot: SpotListing[];
  outcomes: OutcomeListing[];
}

const tiered = (id: number, description: string, ...tiers: [Decimal, number][]): MarginTable => ({
  id,
  description,
  tiers: tiers.map(([lowerBound, maxLeverage]) => ({ lowerBound, maxLeverage })),
});

const perp = (
  name: string,
  szDecimals: number,
  maxLeverage: number,
  marginTableId: number,
  price: Decimal,
) => ({
  name,
  szDecimals,
  maxLeverage,
  marginTableId,
  price,
});

export const DEFAULT_UNIVERSE: Universe = {
  marginTables: [
    tiered(50, "", ["0.0", 50]),
    tiered(51, "tiered 10x", ["0.0", 10], ["3000000.0", 5]),
    tiered(52, "tiered 10x (2)", ["0.0", 10], ["20000000.0", 5]),
    tiered(53, "tiered 20x", ["0.0", 20], ["40000000.0", 10]),
    tiered(54, "tiered 20x (2)", ["0.0", 20], ["70000000.0", 10]),
    tiered(55, "tiered 25x", ["0.0", 25], ["100000000.0", 15]),
    tiered(56, "tiered 40x", ["0.0", 40], ["150000000.0", 20]),
  ],
  dexes: [
    {
      name: "",
      fullName: "",
      collateralToken: 0,
      perps: [
        perp("BTC", 5, 40, 56, "83757.0"),
        perp("ETH", 4, 25, 55, "2123.7"),
        perp("ATOM", 2, 5, 5, "2.1315"),
        { ...perp("MATIC", 1, 20, 20, "0.37621"), isDelisted: true },
        perp("DYDX", 1, 5, 5, "0.15567"),
        perp("SOL", 2, 20, 54, "86.148"),
        perp("AVAX", 2, 10, 52, "9.4287"),
        perp("BNB", 3, 10, 51, "667.37"),
        perp("HYPE", 2, 10, 52, "41.69"),
        perp("kPEPE", 0, 10, 52, "0.002867"),
        perp("DOGE", 0, 10, 52, "0.13799"),
      ],
    },
    {
      name: "xyz",
      fullName: "XYZ",
      collateralToken: 0,
      perps: [
        { ...perp("xyz:XYZ100", 4, 20, 20, "24310.0"), onlyIsolated: true, marginMode: "noCross" },
        perp("xyz:AAPL", 3, 10, 10, "251.32"),
      ],
    },
  ],
  tokens: [
    {
      name: "USDC",
      index: 0,
      szDecimals: 8,
      weiDecimals: 8,
      fullName: null,
      isCanonical: true,
      supply: "5000000000",
    },
    {
      name: "PURR",
      index: 1,
      szDecimals: 0,
      weiDecimals: 5,
      fullName: null,
      isCanonical: true,
      supply: "596659766",
    },
    {
      name: "HFUN",
      index: 2,
      szDecimals: 2,
      weiDecimals: 8,
      fullName: null,
      isCanonical: false,
      supply: "996385",
    },
    {
      name: "HYPE",
      index: 150,
      szDecimals: 2,
      weiDecimals: 8,
      fullName: "Hyperliquid",
      isCanonical: false,
      supply: "999990391",
    },
  ],
  spot: [
    { name: "PURR/USDC", index: 0, tokens: [1, 0], isCanonical: true, price: "0.19197" },
    { name: "@1", index: 1, tokens: [2, 0], isCanonical: false, price: "29.905" },
    { name: "@107", index: 107, tokens: [150, 0], isCanonical: false, price: "41.69" },
  ],
  outcomes: [
    {
      outcome: 1,
      name: "BTC above 100000 on 2026-12-31",
      description: "Settles to Yes if the mark price of BTC is above 100000 at the end of 2026.",
      sides: ["Yes", "No"],
    },
  ],
};
