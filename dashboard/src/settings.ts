/** What the reader chose, kept in the browser. Guarantees: a browser that keeps nothing still works. */
import { useEffect, useState } from "preact/hooks";
import { param, parts, writeParams } from "./address.ts";

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

/** A text that stands in the address of the view, and is remembered for the same view when it is opened without it. */
export function textInAddress<T extends string | null>(
  name: string,
  fallback: T,
  isOne: (text: string) => boolean = () => true,
): [T, (value: T) => void] {
  const key = `view.${parts().view || "overview"}.${name}`;
  const [value, set] = useState((): T => {
    const known = [param(name), read(key)].find((one) => typeof one === "string" && isOne(one));
    return (known as T | undefined) ?? fallback;
  });
  useEffect(() => writeParams({ [name]: value === fallback ? null : value }), [value]);
  return [
    value,
    (next) => {
      write(key, next);
      set(next);
    },
  ];
}

/** One of some choices, likewise. */
export const inAddress = <T extends string>(
  name: string,
  choices: Record<T, unknown>,
  fallback: NoInfer<T>,
): [T, (value: T) => void] => textInAddress<T>(name, fallback, (text) => Object.hasOwn(choices, text));
