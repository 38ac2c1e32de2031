/** One figure with its name and what is to be known about it, for a `dl`. */
import type { ComponentChildren } from "preact";

export const tile = (
  id: string,
  name: string,
  value: ComponentChildren,
  note: ComponentChildren,
  { hero, wide }: { hero?: boolean; wide?: boolean } = {},
) => (
  <div key={id} class={`tile${hero ? " hero" : ""}${wide ? " wide" : ""}`} data-tile={id}>
    <dt>{name}</dt>
    <dd class="value">{value}</dd>
    <dd class="note">{note}</dd>
  </div>
);
