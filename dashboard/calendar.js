/** Net profit by UTC day, a month at a time; a day leads to its fills. */
import { h } from "preact";
import { useState } from "preact/hooks";
import { negate, toNumber } from "./decimal.js";
import { counted, direction, signed } from "./format.js";

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

/**
 * @param {object} props
 * @param {import("./model.js").Row[]} props.days Rows of `/api/pnl?by=day`.
 * @param {number} props.nowMs
 */
export function Calendar({ days, nowMs }) {
  const [back, setBack] = useState(0);
  const now = new Date(nowMs);
  const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1));
  const count = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  const known = new Map(days.map((row) => [row.day, row]));
  const most = Math.max(...days.map(({ net_pnl }) => Math.abs(toNumber(net_pnl))), 1e-12);
  const isOldest = !days.some(({ day }) => day < first.toISOString().slice(0, 10));
  const title = `${MONTHS[first.getUTCMonth()]} ${first.getUTCFullYear()}`;
  const blank = (first.getUTCDay() + 6) % 7;
  const cells = [
    ...DAYS.map((name) => h("span", { class: "day-name", key: name, "aria-hidden": "true" }, name)),
    ...Array.from({ length: blank }, (_, index) => h("span", { key: `b${index}` })),
    ...Array.from({ length: count }, (_, index) => {
      const at = new Date(first);
      at.setUTCDate(index + 1);
      return dayCell(at.toISOString().slice(0, 10), index + 1, known, most);
    }),
  ];
  return h("div", { class: "calendar" }, [
    h("div", { class: "calendar-head" }, [
      h(
        "button",
        {
          type: "button",
          class: "button",
          onClick: () => setBack(back + 1),
          disabled: isOldest,
          "aria-label": "Month before",
        },
        "‹",
      ),
      h("span", { "aria-live": "polite" }, title),
      h(
        "button",
        {
          type: "button",
          class: "button",
          onClick: () => setBack(back - 1),
          disabled: back === 0,
          "aria-label": "Month after",
        },
        "›",
      ),
    ]),
    h("div", { class: "calendar-grid" }, cells),
  ]);
}

/** @param {string} day @param {number} number @param {Map<string, import("./model.js").Row>} known @param {number} most */
function dayCell(day, number, known, most) {
  const row = known.get(day);
  const label = h("span", { class: "day-number" }, String(number));
  if (!row) return h("span", { class: "day", key: day }, label);
  const depth = Math.ceil((Math.abs(toNumber(row.net_pnl)) / most) * 4);
  const words = `${day}: net ${signed(row.net_pnl)}, ${counted(row.fills, "fill")}, fees ${signed(negate(row.fees))}, funding ${signed(row.funding)}`;
  return h(
    "a",
    {
      class: `day ${direction(row.net_pnl)} depth-${depth}`,
      key: day,
      href: `#fills?day=${day}`,
      title: words,
      "aria-label": words,
    },
    [label, h("span", { class: "day-value" }, compact(row.net_pnl))],
  );
}

/** `+1.2k`: room is short, the title has every digit. @param {string} text */
function compact(text) {
  const value = toNumber(text);
  const size = Math.abs(value);
  if (size < 1_000) return signed(text, size < 10 ? 2 : 0);
  const thousands = size < 1_000_000;
  const short = (size / (thousands ? 1_000 : 1_000_000)).toFixed(1);
  return `${value < 0 ? "\u2212" : "+"}${short}${thousands ? "k" : "M"}`;
}
