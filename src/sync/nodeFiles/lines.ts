/**
 * Bytes as whole lines. Pure. Guarantees: a line is handed over when its end has come and not before; a line that is cut into
 * many parts is joined once; nothing of a chunk is kept once its lines are done with; one that is longer than `LINE_MAX` is
 * passed over and told, so that memory stays bounded.
 */

/** The longest real line seen has 20 MB. */
const LINE_MAX = 128 * 1024 * 1024;

const BREAK = 10;

export class Lines {
  readonly #max: number;
  #parts: Buffer[] = [];
  #length = 0;
  #isPassedOver = false;
  /** Lines that were too long. */
  tooLong = 0;

  constructor(max = LINE_MAX) {
    this.#max = max;
  }

  /** Bytes after the last line break: a line that is not finished. */
  get unfinished(): number {
    return this.#length;
  }

  /** Whole lines, each with its break, in a few pieces. */
  push(chunk: Buffer): Buffer[] {
    const last = chunk.lastIndexOf(BREAK);
    if (last < 0) {
      this.#hold(chunk);
      return [];
    }
    const whole: Buffer[] = [];
    let begin = 0;
    if (this.#length > 0 || this.#isPassedOver) {
      begin = chunk.indexOf(BREAK) + 1;
      this.#hold(chunk.subarray(0, begin));
      if (this.#isPassedOver) this.tooLong += 1;
      else whole.push(Buffer.concat(this.#parts));
      this.#parts = [];
      this.#length = 0;
      this.#isPassedOver = false;
    }
    if (last >= begin) whole.push(chunk.subarray(begin, last + 1));
    if (last + 1 < chunk.length) this.#hold(chunk.subarray(last + 1));
    return whole;
  }

  /** What is held, taken for a line although its end has not come; null when nothing is, or it is too long. */
  rest(): Buffer | null {
    return this.#length === 0 || this.#isPassedOver ? null : Buffer.concat(this.#parts);
  }

  #hold(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#max) {
      this.#isPassedOver = true;
      this.#parts = [];
    } else this.#parts.push(Buffer.from(part));
  }
}
