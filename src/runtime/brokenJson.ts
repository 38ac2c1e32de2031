/** Where a text that people write stops being JSON, to be told by its line. Pure. */

/** The line at which the text is wrong, and not only unfinished; the last one of a text that ends too early. */
export function brokenLine(json: string): number {
  const lines = json.trimEnd().split("\n");
  for (let count = 1; count <= lines.length; count++) {
    const line = lineOfError(lines.slice(0, count).join("\n").trimEnd());
    if (line !== null) return line;
  }
  return lines.length;
}

/** Null where more text could still make it JSON. */
function lineOfError(text: string): number | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const { message } = error as Error;
    const at = /at position (\d+)/.exec(message);
    // Without a position the parser quotes what stands at the end of what it was given.
    if (at === null) return /end of JSON input/.test(message) ? null : text.split("\n").length;
    const position = Number(at[1]);
    return position >= text.length ? null : text.slice(0, position).split("\n").length;
  }
}
