/** What every view is made of: a box with a title and tools, and a choice of a few words. */
import type { ComponentChildren } from "preact";

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
