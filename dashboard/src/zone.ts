/**
 * The time zone that the reader chose, of every time and every day on the page. Guarantees: a day begins where its date
 * begins in that zone, also when clocks are changed. Another zone is another page: it is read when the page is.
 */
import { read } from "./settings.ts";

const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;

const isKnown = (zone: string) => {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: zone }).format(0) !== "";
  } catch {
    return false;
  }
};

/** The browser's own. */
export const LOCAL_ZONE = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** As chosen: `UTC`, `local` or a name. */
export const chosenZone: string = read("zone") ?? "UTC";

/** `Europe/Berlin` */
export const ZONE: string =
  chosenZone === "local" && isKnown(LOCAL_ZONE) ? LOCAL_ZONE : isKnown(chosenZone) ? chosenZone : "UTC";

export const IS_UTC = ZONE === "UTC" || ZONE === "Etc/UTC";

/** What stands behind a time: `UTC`, `Berlin`. */
export const ZONE_WORD = IS_UTC ? "UTC" : ZONE.slice(ZONE.lastIndexOf("/") + 1).replaceAll("_", " ");

/** What the server is asked with; none where its own days are meant. */
export const zoneAsked: string | null = IS_UTC ? null : ZONE;

const parts = new Intl.DateTimeFormat("en-US", {
  timeZone: ZONE,
  hourCycle: "h23",
  year: "numeric",
  month: "numeric",
  day: "numeric",
  hour: "numeric",
  minute: "numeric",
});
/** Clocks are changed at quarters of an hour: within one they differ by the same. */
const offsets = new Map<number, number>();
function offset(ms: number): number {
  if (IS_UTC) return 0;
  const quarter = Math.floor(ms / QUARTER_MS);
  let known = offsets.get(quarter);
  if (known === undefined) {
    const at = Object.fromEntries(
      parts.formatToParts(quarter * QUARTER_MS).map(({ type, value }) => [type, Number(value)]),
    );
    known = Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute) - quarter * QUARTER_MS;
    offsets.set(quarter, known);
  }
  return known;
}

/** `2026-10-05T14:03:11.120` of the zone. */
export const iso = (ms: number): string => new Date(ms + offset(ms)).toISOString().slice(0, 23);

/** For files: `2026-10-05T14:03:11.120+02:00`, `…Z` in UTC. */
export function isoWithZone(ms: number): string {
  const minutes = offset(ms) / 60_000;
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const two = (count: number) => String(count).padStart(2, "0");
  return IS_UTC
    ? new Date(ms).toISOString()
    : `${iso(ms)}${minutes < 0 ? "-" : "+"}${two(hours)}:${two(rest)}`;
}

/** `2026-10-05` */
export const dayAt = (ms: number): string => iso(ms).slice(0, 10);

/** When a day begins. */
export function dayStart(day: string): number {
  const midnight = Date.parse(day);
  const begun = midnight - offset(midnight - offset(midnight));
  // Where clocks are put forward at midnight the day begins at one: what would be midnight is still the day before.
  return dayAt(begun) < day ? midnight - offset(midnight) : begun;
}

/** So many days on. */
export const dayAfter = (day: string, count: number): string =>
  new Date(Date.parse(day) + count * DAY_MS).toISOString().slice(0, 10);
