/**
 * A venue with one thing wrong: passes `/info` requests on to another endpoint and lets a test change the answers.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Answer {
  status: number;
  body: unknown;
}
export type Request = Record<string, unknown> & { type: string };

export class SpoilingProxy {
  readonly #target: string;
  readonly #server: Server;
  /** What becomes of an answer. */
  spoil: (request: Request, answer: Answer) => Answer = (_request, answer) => answer;

  constructor(target: string) {
    this.#target = target;
    this.#server = createServer(async (incoming, outgoing) => {
      const parts: Buffer[] = [];
      for await (const part of incoming) parts.push(part as Buffer);
      const text = Buffer.concat(parts).toString("utf8");
      const headers = { "content-type": "application/json" };
      const reply = await fetch(`${this.#target}/info`, { method: "POST", headers, body: text });
      const replied = await reply.text();
      const answer = { status: reply.status, body: JSON.parse(replied) as unknown };
      const { status, body } = this.spoil(JSON.parse(text) as Request, answer);
      outgoing.writeHead(status, headers).end(JSON.stringify(body));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  start(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.closeAllConnections();
      this.#server.close(() => resolve());
    });
  }
}
