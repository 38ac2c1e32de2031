/**
 * Where the elements of a JSON list stand in raw bytes, so that one of many can be parsed alone. Pure. Guarantees: each element
 * is handed over whole, whatever its texts hold; a list that does not end is reported. Assumes JSON: what an element is made of is
 * for `JSON.parse` to judge.
 */

const QUOTE = '"'.charCodeAt(0);
const ESCAPE = "\\".charCodeAt(0);
const COMMA = ",".charCodeAt(0);
const [OPEN_LIST, CLOSE_LIST] = ["[".charCodeAt(0), "]".charCodeAt(0)];
const [OPEN_OBJECT, CLOSE_OBJECT] = ["{".charCodeAt(0), "}".charCodeAt(0)];

/** Calls `each` for every element of the list whose `[` stands before `from`; where its `]` stands, or -1 when it does not end. */
export function eachElement(bytes: Buffer, from: number, each: (from: number, to: number) => void): number {
  let depth = 0;
  let begin = from;
  const hand = (to: number) => {
    if (to > begin) each(begin, to);
  };
  for (let at = from; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = textEnd(bytes, at + 1);
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        depth += 1;
        break;
      case COMMA:
        if (depth === 0) {
          hand(at);
          begin = at + 1;
        }
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        if (depth === 0) {
          hand(at);
          return at;
        }
        depth -= 1;
    }
  }
  return -1;
}

/** Where the quote stands that ends the text from `at` on; the end of the bytes when none does. */
function textEnd(bytes: Buffer, at: number): number {
  let end = at;
  while (end < bytes.length && bytes[end] !== QUOTE) end += bytes[end] === ESCAPE ? 2 : 1;
  return end;
}
