/** Asks a person before something is done that cannot be undone, or costs money. Guarantees: a signal ends the question. */
import { createInterface } from "node:readline/promises";

/** What was typed, without the white space around it. The question goes to stderr: stdout is data. */
export async function answerTo(question: string, signal: AbortSignal): Promise<string> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await prompt.question(question, { signal })).trim();
  } finally {
    prompt.close();
  }
}
