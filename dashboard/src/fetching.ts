/** Reads that a view needs and the event stream does not carry: repeated while the view is open. */
import { useEffect, useState } from "preact/hooks";
import { get } from "./connection.ts";
import type { Row } from "./model.ts";

/**
 * The answer of a path, read again every `everyMs`; the last one stands while the next is under way or fails. Without a
 * path nothing is asked yet.
 */
export function useAnswer(
  path: string | null,
  query: Record<string, string | number | null>,
  everyMs: number = 15_000,
): { data: Row | null; error: string | null } {
  const [state, setState] = useState({ key: "", data: null, error: null } as {
    key: string;
    data: Row | null;
    error: string | null;
  });
  const key = JSON.stringify([path, query]);
  useEffect(() => {
    if (path === null) return;
    let over = false;
    let timer = 0;
    const ask = async () => {
      try {
        const data = await get(path, query);
        if (!over) setState({ key, data, error: null });
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (!over) setState((known) => ({ ...known, error: text }));
      }
      if (!over) timer = setTimeout(ask, everyMs);
    };
    void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [key, everyMs]);
  // What belongs to another account or range is not shown as this one's.
  return { data: state.key === key ? state.data : null, error: state.error };
}
