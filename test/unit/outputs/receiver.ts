/** A webhook receiver that checks every delivery with the reference library and misbehaves as told. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { PATIENCE_MS } from "../../support/until.ts";

export interface Delivery {
  id: string;
  type: string;
  /** Account of the event, "" for none. */
  account: string;
  body: { type: string; timestamp: string; data: Record<string, unknown> };
  headers: IncomingHttpHeaders;
  path: string;
}

/** What to answer: a status, a status with headers, or nothing at all. */
export type Answer = number | { status: number; headers: Record<string, string> } | "hang";

export interface Receiver {
  readonly url: string;
  /** Deliveries that were answered with 2xx, in order. */
  readonly accepted: Delivery[];
  /** Every delivery, in order. */
  readonly seen: Delivery[];
  /** Deliveries whose signature was wrong: must stay empty. */
  readonly forged: string[];
  answer: (delivery: Delivery) => Answer;
  /** Without a secret nothing is verified. */
  secret: string | null;
  /** Resolves when `good` is true; looks after every delivery. */
  until(good: () => boolean, waitMs?: number): Promise<void>;
  /** Dies: connections break, and new ones are refused. */
  die(): Promise<void>;
  /** Listens again, where it did. */
  live(): Promise<void>;
  close(): Promise<void>;
}

export async function startReceiver(port = 0): Promise<Receiver> {
  const watchers = new Set<() => void>();
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      const { headers } = request;
      if (receiver.secret !== null) {
        try {
          new Webhook(receiver.secret).verify(text, headers as Record<string, string>);
        } catch (error) {
          receiver.forged.push(String(error));
          response.writeHead(401).end();
          return;
        }
      }
      const body = JSON.parse(text) as Delivery["body"];
      const delivery: Delivery = {
        id: String(headers["webhook-id"]),
        type: body.type,
        account: String(body.data?.account_address ?? ""),
        body,
        headers,
        path: request.url ?? "",
      };
      receiver.seen.push(delivery);
      const answer = receiver.answer(delivery);
      if (answer !== "hang") {
        const [status, extra] = typeof answer === "number" ? [answer, {}] : [answer.status, answer.headers];
        if (status >= 200 && status < 300) receiver.accepted.push(delivery);
        response.writeHead(status, extra).end();
      }
      for (const watcher of [...watchers]) watcher();
    });
  });
  const listen = (at: number) => new Promise<void>((resolve) => server.listen(at, "127.0.0.1", resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  await listen(port);
  const ownPort = (server.address() as AddressInfo).port;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${ownPort}/hook`,
    accepted: [],
    seen: [],
    forged: [],
    secret: null,
    answer: () => 204,
    until: (good, waitMs = PATIENCE_MS) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!good()) return;
          clearTimeout(timer);
          watchers.delete(look);
          resolve();
        };
        const timer = setTimeout(() => {
          watchers.delete(look);
          reject(
            new Error(
              `not delivered in time: ${receiver.accepted.length} of ${receiver.seen.length} accepted`,
            ),
          );
        }, waitMs);
        watchers.add(look);
        look();
      }),
    die: stop,
    live: () => listen(ownPort),
    close: stop,
  };
  return receiver;
}
