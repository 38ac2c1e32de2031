/** What every view is made of: a box with a title and tools, and a choice of a few words. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export const Panel = ({
  title,
  tools,
  children,
}: {
  title: string;
  tools?: ComponentChildren;
  children?: ComponentChildren;
}) => (
  <section class="panel" aria-label={title}>
    <div class="panel-head">
      <h2>{title}</h2>
      <span class="spring" />
      {tools}
    </div>
    {children}
  </section>
);

export const Choice = <T extends string>({
  label,
  choices,
  chosen,
  choose,
}: {
  label: string;
  choices: Record<T, string>;
  chosen: T;
  choose(value: T): void;
}) => (
  <div class="choice" role="group" aria-label={label}>
    {(Object.entries(choices) as [T, string][]).map(([value, text]) => (
      <button
        type="button"
        key={value}
        aria-pressed={value === chosen ? "true" : "false"}
        onClick={() => choose(value)}
      >
        {text}
      </button>
    ))}
  </div>
);

/** Closes on Escape and on a click elsewhere. */
export function Menu({
  title,
  isChosen,
  children,
}: {
  title: string;
  /** Something in it is chosen. */
  isChosen?: boolean;
  children: ComponentChildren;
}) {
  const menu = useRef(null as HTMLDetailsElement | null);
  useEffect(() => {
    const close = (event: Event) => {
      const element = menu.current;
      if (element?.open && !element.contains(event.target as Node)) element.open = false;
    };
    document.addEventListener("pointerdown", close);
    return () => document.removeEventListener("pointerdown", close);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const element = menu.current;
    if (event.key !== "Escape" || !element?.open) return;
    element.open = false;
    element.querySelector("summary")?.focus();
  };
  return (
    <details class="menu" ref={menu} onKeyDown={onKeyDown}>
      <summary class={`button${isChosen ? " chosen" : ""}`}>{title}</summary>
      <div class="menu-body">{children}</div>
    </details>
  );
}
