/** `hlsync/simulator`: the simulated exchange for tests, over sockets or in virtual time. */
export { createVenue } from "./exchange/venue.ts";
export { startSimulator } from "./server/server.ts";
export { createWorld, VirtualClock } from "./virtualWorld.ts";
