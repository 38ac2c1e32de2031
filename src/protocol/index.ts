/** `hlsync/protocol`: the venue's frames and answers, read without trust. Loads neither a database nor a socket. */
export { readFrame } from "./channels.ts";
export { INFO } from "./infoRequests.ts";
