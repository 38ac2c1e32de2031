/** What the reader chose, kept in the browser. Guarantees: a browser that keeps nothing still works. */
import { useState } from "preact/hooks";

export function read(key: string) {
  try {
    const text = localStorage.getItem(`hlsync.${key}`);
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

export function write(key: string, value: unknown) {
  try {
    localStorage.setItem(`hlsync.${key}`, JSON.stringify(value));
  } catch {
    // A private window: forgotten with it.
  }
}

/** `useState` that outlives the page. */
export function remembered<T>(key: string, fallback: T): [T, (value: T) => void] {
  const [value, set] = useState((): T => read(key) ?? fallback);
  return [
    value,
    (next) => {
      write(key, next);
      set(next);
    },
  ];
}
