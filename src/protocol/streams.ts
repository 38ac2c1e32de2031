/** Names of streams that people ask for. Loaded by every command, unlike what is read from them. */

/** Names of market data to choose from; a candle interval may follow: `candle:1m`. */
export const MARKET_STREAMS = ["allMids", "l2Book", "trades", "candle", "activeAssetCtx"] as const;
/** Names under which old guides subscribe to what every followed account brings anyway. */
export const ACCOUNT_STREAMS = ["orderUpdates", "userFills", "userEvents", "webData2"] as const;
