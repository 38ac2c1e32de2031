/**
 * A terminal as a screen: takes it over, paints lines that changed, gives it back. Guarantees: whatever happens, the
 * cursor, the main screen and the line mode come back (`stop` is called on every way out); at most one frame per
 * `FRAME_MS`; a frame is written whole (synchronized output where the terminal knows it), and only while the terminal
 * has taken the one before, so that a slow one is never flooded.
 */
import type { Clock } from "../../runtime/clock.ts";

const FRAME_MS = 100;
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const BEGIN = "\u001b[?2026h";
const END = "\u001b[?2026l";

/** `process.stdout` and `process.stdin`, as far as they are needed. */
interface TerminalOutput {
  readonly columns: number;
  readonly rows: number;
  readonly writableLength: number;
  write(text: string): boolean;
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
}
interface TerminalInput {
  setRawMode(raw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: "data", listener: (bytes: Buffer) => void): unknown;
  off(event: "data", listener: (bytes: Buffer) => void): unknown;
}

interface TerminalDeps {
  input: TerminalInput;
  output: TerminalOutput;
  clock: Clock;
  /** Exactly `rows` lines of `columns` cells. */
  frame(size: { columns: number; rows: number }): string[];
  onBytes(text: string): void;
}

export class Terminal {
  readonly #deps: TerminalDeps;
  #painted: string[] = [];
  #running = false;
  #scheduled = false;
  #paintedAtMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => {};

  constructor(deps: TerminalDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { input, output } = this.#deps;
    this.#running = true;
    output.write(ENTER);
    input.setRawMode(true);
    input.resume();
    input.on("data", this.#onData);
    output.on("resize", this.#onResize);
    this.refresh();
  }

  /** Paints soon: changes that come together are painted together. */
  refresh(): void {
    if (!this.#running || this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = Math.max(0, this.#paintedAtMs + FRAME_MS - this.#deps.clock.now());
    this.#cancel = this.#deps.clock.after(waitMs, () => {
      this.#scheduled = false;
      this.#paint();
    });
  }

  #paint(): void {
    const { output, clock, frame } = this.#deps;
    this.#paintedAtMs = clock.now();
    if (output.writableLength > 0) {
      this.refresh();
      return;
    }
    const lines = frame({ columns: Math.max(1, output.columns), rows: Math.max(1, output.rows) });
    let changes = "";
    for (const [row, text] of lines.entries())
      if (this.#painted[row] !== text) changes += `\u001b[${row + 1};1H${text}`;
    this.#painted = lines;
    if (changes !== "") output.write(`${BEGIN}${changes}${END}`);
  }

  readonly #onData = (bytes: Buffer): void => this.#deps.onBytes(bytes.toString("utf8"));

  readonly #onResize = (): void => {
    this.#painted = [];
    this.#deps.output.write("\u001b[2J");
    this.refresh();
  };

  /** Gives the terminal back; may be called again. */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#cancel();
    const { input, output } = this.#deps;
    input.off("data", this.#onData);
    output.off("resize", this.#onResize);
    input.setRawMode(false);
    input.pause();
    output.write(LEAVE);
  }
}
