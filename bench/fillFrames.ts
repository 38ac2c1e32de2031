/** `userFills` frames as the venue sends them, 420 bytes for one fill; every trade id is there once. */

export const USER = `0x${"1".repeat(40)}` as const;

const fill = (n: number) => ({
  coin: "BTC",
  px: "66653.0",
  sz: "0.001",
  side: "A",
  time: 1781528065899 + n,
  startPosition: "-0.0213",
  dir: "Open Short",
  closedPnl: "0.0",
  hash: `0x${"e2".repeat(32)}`,
  oid: 55030848197 + n,
  crossed: false,
  fee: "0.009997",
  tid: 745210434703679 + n,
  feeToken: "USDC",
  twapId: null,
});

/** Frame number `index` of those that hold `fillsPerFrame` each. */
export function fillFrame(index: number, fillsPerFrame: number): string {
  const fills = Array.from({ length: fillsPerFrame }, (_, i) => fill(index * fillsPerFrame + i));
  return JSON.stringify({ channel: "userFills", data: { user: USER, fills } });
}
