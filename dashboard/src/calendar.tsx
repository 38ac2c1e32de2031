/** Net profit by day, a month at a time; a day leads to its fills. */

import { useState } from "preact/hooks";
import { negate, toNumber } from "./decimal.ts";
import { counted, direction, signed } from "./format.ts";
import type { Row } from "./model.ts";
import { dayAt } from "./zone.ts";

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

export function Calendar({
  days,
  nowMs,
}: {
  /** Rows of `/api/pnl?by=day`. */
  days: Row[];
  nowMs: number;
}) {
  const [back, setBack] = useState(0);
  const now = new Date(dayAt(nowMs));
  const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1));
  const count = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  const known = new Map(days.map((row) => [row.day, row]));
  const most = Math.max(...days.map(({ net_pnl }) => Math.abs(toNumber(net_pnl))), 1e-12);
  const isOldest = !days.some(({ day }) => day < first.toISOString().slice(0, 10));
  const title = `${MONTHS[first.getUTCMonth()]} ${first.getUTCFullYear()}`;
  const blank = (first.getUTCDay() + 6) % 7;
  const cells = [
    ...DAYS.map((name) => (
      <span class="day-name" key={name} aria-hidden="true">
        {name}
      </span>
    )),
    ...Array.from({ length: blank }, (_, index) => <span key={`b${index}`} />),
    ...Array.from({ length: count }, (_, index) => {
      const at = new Date(first);
      at.setUTCDate(index + 1);
      return dayCell(at.toISOString().slice(0, 10), index + 1, known, most);
    }),
  ];
  return (
    <div class="calendar">
      <div class="calendar-head">
        <button
          type="button"
          class="button"
          onClick={() => setBack(back + 1)}
          disabled={isOldest}
          aria-label="Month before"
        >
          ‹
        </button>
        <span aria-live="polite">{title}</span>
        <button
          type="button"
          class="button"
          onClick={() => setBack(back - 1)}
          disabled={back === 0}
          aria-label="Month after"
        >
          ›
        </button>
      </div>
      <div class="calendar-grid">{cells}</div>
    </div>
  );
}

function dayCell(day: string, number: number, known: Map<string, Row>, most: number) {
  const row = known.get(day);
  const label = (
    <span class="day-number" aria-hidden={row ? "true" : undefined}>
      {String(number)}
    </span>
  );
  if (!row)
    return (
      <span class="day" key={day}>
        {label}
      </span>
    );
  const depth = Math.ceil((Math.abs(toNumber(row.net_pnl)) / most) * 4);
  const words = `${day}: net ${signed(row.net_pnl)}, ${counted(row.fills, "fill")}, fees ${signed(negate(row.fees))}, funding ${signed(row.funding)}`;
  return (
    <a class={`day ${direction(row.net_pnl)} depth-${depth}`} key={day} href={`#fills?day=${day}`}>
      <span class="unseen">{words}</span>
      <span class="day-told" title={words}>
        {label}
        <span class="day-value" aria-hidden="true">
          {compact(row.net_pnl)}
        </span>
      </span>
    </a>
  );
}

/** `+1.2k`: room is short, the title has every digit. */
function compact(text: string) {
  const value = toNumber(text);
  const size = Math.abs(value);
  if (size < 1_000) return signed(text, size < 10 ? 2 : 0);
  const thousands = size < 1_000_000;
  const short = (size / (thousands ? 1_000 : 1_000_000)).toFixed(1);
  return `${value < 0 ? "\u2212" : "+"}${short}${thousands ? "k" : "M"}`;
}
