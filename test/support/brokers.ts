/**
 * Real message brokers for tests: `nats-server` and `redis-server` on ports of the system's choice, with their files in a
 * temporary folder, durable enough to be killed. Guarantees: what was started is ended by `close`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./freePort.ts";
import { PATIENCE_MS, until } from "./until.ts";

const PLACES = { nats: "/usr/sbin/nats-server", redis: "/usr/bin/redis-server" } as const;

/** False, or why a test that needs the broker is skipped. */
export const noBroker = (name: keyof typeof PLACES): string | false =>
  existsSync(PLACES[name]) ? false : `${PLACES[name]} is not installed`;

export class TestBroker {
  readonly url: string;
  readonly #name: keyof typeof PLACES;
  readonly #port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "hlsync-broker-"));
  #server: ChildProcess | null = null;

  private constructor(name: keyof typeof PLACES, port: number) {
    this.#name = name;
    this.#port = port;
    this.url = `${name}://127.0.0.1:${port}`;
  }

  static async start(name: keyof typeof PLACES): Promise<TestBroker> {
    const broker = new TestBroker(name, await freePort());
    await broker.start();
    return broker;
  }

  async start(): Promise<void> {
    const [port, folder] = [String(this.#port), this.#folder];
    const flags =
      this.#name === "nats"
        ? ["-a", "127.0.0.1", "-p", port, "-js", "-sd", folder]
        : [
            ...["--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", ""],
            ...["--appendonly", "yes", "--appendfsync", "always"],
          ];
    this.#server = spawn(PLACES[this.#name], flags, { stdio: "ignore" });
    await until(`${this.#name} to answer`, PATIENCE_MS, () => this.#answers());
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = dial(this.#port, "127.0.0.1");
      const end = (isThere: boolean) => {
        socket.destroy();
        resolve(isThere);
      };
      socket.once("connect", () => end(true));
      socket.once("error", () => end(false));
    });
  }

  /** Without a word. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGKILL");
    await ended;
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
