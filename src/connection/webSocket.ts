/**
 * `SocketFactory` over `ws`. Guarantees: no compression (it costs 50 times the parsing), a handshake that ends, frames of
 * at most `maxFrameBytes`; a refused handshake is a `TransportError` with its HTTP status.
 */
import { WebSocket } from "ws";
import { TransportError } from "../errors.ts";
import type { SocketFactory } from "../runtime/net.ts";

const HANDSHAKE_TIMEOUT_MS = 10_000;
/**
 * The largest frame seen has 177 kB (all asset contexts); five thousand open orders would have 2 MB. A longer one closes the
 * socket: its loss is a gap, which REST closes. Reading one of this size blocks everything else for a second at worst (names
 * by the hundred thousand, a busy core).
 */
const MAX_FRAME_BYTES = 4 * 1024 * 1024;

export function createSocketFactory(maxFrameBytes = MAX_FRAME_BYTES): SocketFactory {
  return (url, handlers) => {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: maxFrameBytes,
    });
    socket.on("open", () => handlers.onOpen());
    socket.on("message", (data) => handlers.onMessage(data.toString()));
    socket.on("close", (code, reason) => handlers.onClose(code, reason.toString()));
    socket.on("error", (error) => handlers.onError(asTransportError(error)));
    return {
      send(text) {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: (code, reason) => socket.close(code, reason),
      terminate: () => socket.terminate(),
    };
  };
}

/** `ws` tells the status of a refused handshake in its message alone. */
function asTransportError(error: Error): TransportError {
  const status = /Unexpected server response: (\d{3})/.exec(error.message)?.[1];
  const options = status === undefined ? {} : { status: Number(status) };
  return new TransportError(`socket: ${error.message}`, { cause: error, ...options });
}
