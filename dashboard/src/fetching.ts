/** Reads that a view needs and the event stream does not carry: repeated while the view is open. */
import { useEffect, useState } from "preact/hooks";
import { get } from "./connection.ts";
import type { Row } from "./model.ts";

/** A path and what is asked of it. */
export type Asked = [path: string, query: Record<string, string | number | null>];

/**
 * The answer of a path, read again every `everyMs`; the last one stands while the next is under way or fails. Without a
 * path nothing is asked yet.
 */
export function useAnswer(path: string | null, query: Asked[1], everyMs?: number) {
  const { data, error } = useAnswers(path === null ? [] : [[path, query]], everyMs);
  return { data: data?.[0] ?? null, error };
}

/** The same of several paths, which are known when all are. */
export function useAnswers(
  asked: Asked[],
  everyMs: number = 15_000,
): { data: Row[] | null; error: string | null } {
  const [state, setState] = useState({ key: "", data: null, error: null } as {
    key: string;
    data: Row[] | null;
    error: string | null;
  });
  const key = JSON.stringify(asked);
  useEffect(() => {
    if (asked.length === 0) return;
    let over = false;
    let timer = 0;
    const ask = async () => {
      try {
        const data = await Promise.all(asked.map(([path, query]) => get(path, query)));
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
