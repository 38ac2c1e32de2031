/**
 * The network as a parameter: the two shapes through which the program speaks to a venue. The real ones wrap `ws`
 * and `fetch` (connection module); the simulator's world implements them in memory, in virtual time.
 */

/** What a socket reports. After `onClose` nothing more is called. `onError` is always followed by `onClose`. */
export interface SocketHandlers {
  onOpen(): void;
  /** One text frame. */
  onMessage(text: string): void;
  /** `code` is 1006 when the other side vanished without a close frame. */
  onClose(code: number, reason: string): void;
  onError(error: Error): void;
}

/** One connection, opening or open. Sending on a socket that is not open is silently ignored. */
export interface ClientSocket {
  send(text: string): void;
  /** Starts the closing handshake; `onClose` follows, unless the other side is gone (then call `terminate`). */
  close(code?: number, reason?: string): void;
  /** Drops the connection without handshake; `onClose` follows with code 1006. */
  terminate(): void;
}

/** Starts connecting and answers at once; the outcome arrives through `handlers`, never before this returns. */
export type SocketFactory = (url: string, handlers: SocketHandlers) => ClientSocket;

export interface HttpAnswer {
  status: number;
  text: string;
}

/**
 * Posts JSON text and reads the whole answer. Resolves with any HTTP status; rejects when there is no complete
 * answer (refused, reset, truncated) or with the signal's reason when aborted.
 */
export type HttpPost = (url: string, bodyText: string, signal?: AbortSignal) => Promise<HttpAnswer>;
