/** When days begin on the page, in zones that change their clocks in every way. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

const DAY_MS = 86_400_000;
const [FROM_MS, TO_MS] = [Date.UTC(2024, 0, 1), Date.UTC(2028, 0, 1)];
const MODULE = new URL("../../../dashboard/src/zone.ts", import.meta.url).href;

interface Zone {
  ZONE: string;
  dayAt(ms: number): string;
  dayStart(day: string): number;
}

describe("days of a zone", () => {
  const own = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  after(() => {
    if (own) Object.defineProperty(globalThis, "localStorage", own);
    else Reflect.deleteProperty(globalThis, "localStorage");
  });

  for (const name of ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo"])
    it(`begin where their dates begin: ${name}`, () => holds(name));
  for (const name of ["America/Santiago", "America/Havana", "Asia/Beirut"])
    it(`begin at one where midnight is left out: ${name}`, () => holds(name));

  /** The page reads its zone once, when it is loaded. */
  async function holds(name: string): Promise<void> {
    const getItem = (key: string) => (key === "hlsync.zone" ? JSON.stringify(name) : null);
    Object.defineProperty(globalThis, "localStorage", { value: { getItem }, configurable: true });
    const { ZONE, dayAt, dayStart } = (await import(`${MODULE}?${name}`)) as Zone;
    assert.equal(ZONE, name);
    for (let ms = FROM_MS; ms < TO_MS; ms += DAY_MS) {
      const day = new Date(ms).toISOString().slice(0, 10);
      const begunMs = dayStart(day);
      assert.equal(dayAt(begunMs), day);
      assert.ok(dayAt(begunMs - 1) < day, day);
    }
  }
});
