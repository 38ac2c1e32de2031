/**
 * The public surface: what a program that embeds hlsync may rely on. Everything else may change between versions.
 *
 * - follow accounts into a store: `Engine`, with `createInfoClient`, `createStreams` and a `Store`;
 * - the store: `openPostgres` or `openEmbedded`, `migrate`, `openStore`;
 * - read the venue's frames and answers without trust: `hlsync/protocol`;
 * - the simulated exchange for tests: `hlsync/simulator`;
 * - types of the schema for supabase-js: `hlsync/supabase`.
 */
export { createHttpPost } from "./connection/httpPost.ts";
export { createInfoClient } from "./connection/infoClient.ts";
export { createStreams } from "./connection/liveSocket.ts";
export { RateLimiter } from "./connection/rateLimiter.ts";
export { createSocketFactory } from "./connection/webSocket.ts";
export * from "./errors.ts";
export { type Clock, systemClock } from "./runtime/clock.ts";
export type { Decimal } from "./runtime/decimal.ts";
export { createLog, silentLog } from "./runtime/log.ts";
export { seededRandom, systemRandom } from "./runtime/random.ts";
export type { Database } from "./store/database.ts";
export { openEmbedded } from "./store/embedded.ts";
export { migrate } from "./store/migrate.ts";
export { openPostgres } from "./store/postgres.ts";
export { openStore } from "./store/store.ts";
export { type Committed, Engine, type EngineConfig, type EngineDeps } from "./sync/engine.ts";
export type * from "./sync/ports.ts";
export type * from "./sync/rows.ts";
export { type Certificate, passed } from "./sync/verify/certificate.ts";
export { listDexes } from "./sync/verify/dexList.ts";
export { verify } from "./sync/verify.ts";
