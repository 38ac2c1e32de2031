/** What the reader chose, kept in the browser. Guarantees: a browser that keeps nothing still works. */
import { useState } from "preact/hooks";

/** @param {string} key */
export function read(key) {
  try {
    const text = localStorage.getItem(`hlsync.${key}`);
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {string} key @param {unknown} value */
export function write(key, value) {
  try {
    localStorage.setItem(`hlsync.${key}`, JSON.stringify(value));
  } catch {
    // A private window: forgotten with it.
  }
}

/** `useState` that outlives the page. @template T @param {string} key @param {T} fallback @returns {[T, (value: T) => void]} */
export function remembered(key, fallback) {
  const [value, set] = useState(/** @returns {T} */ () => read(key) ?? fallback);
  return [
    value,
    (next) => {
      write(key, next);
      set(next);
    },
  ];
}
