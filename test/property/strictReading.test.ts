/**
 * What the compiled readings accept, of values and of texts, is what zod accepts, and gives the same rows: over captures,
 * simulated payloads, and both spoilt.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { z } from "zod";
import { CHANNELS, type Reading, readFrame } from "../../src/protocol/channels.ts";
import { isRead, readJson } from "../../src/protocol/decode.ts";
import type { WireStateParts } from "../../src/protocol/schemas.ts";
import * as schemas from "../../src/protocol/schemas.ts";
import { strictly } from "../../src/protocol/strict.ts";
import { TextScan } from "../../src/protocol/textPattern.ts";
import { parsed } from "../../src/runtime/jsonText.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import {
  assetCtxRow,
  bookRow,
  candleRow,
  factRows,
  midRows,
  type Origin,
  openOrderRows,
  positionRows,
  tradeRow,
} from "../../src/sync/normalize.ts";
import type { Any } from "../captures/captures.ts";
import { hostileCorpus, type Sample } from "./hostileCorpus.ts";
import { spoil, textOf } from "./hostileMutation.ts";

const SPOILT = Number(process.env.HLSYNC_HOSTILE_COUNT ?? 5_000);

const SCHEMAS: [string, z.ZodType][] = Object.entries(schemas).flatMap(([name, one]) =>
  one instanceof z.ZodType ? [[name, one]] : [],
);

type Path = readonly (string | number)[];
const at = (body: unknown, path: Path): unknown => path.reduce<Any>((inner, key) => inner?.[key], body);

function* containers(value: unknown, path: Path = []): Generator<Path> {
  if (typeof value !== "object" || value === null) return;
  yield path;
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value))
    yield* containers((value as Any)[key], [...path, key]);
}

interface Place {
  path: Path;
  name: string;
  schema: z.ZodType;
}

/** Where a sample holds what fits a schema. */
const placesOf = ({ body }: Sample): Place[] =>
  [...containers(body)].flatMap((path) =>
    SCHEMAS.filter(([, schema]) => schema.safeParse(at(body, path)).success).map(([name, schema]) => ({
      path,
      name,
      schema,
    })),
  );

function agrees({ name, schema }: Place, value: unknown): boolean {
  const strict = strictly(schema)(value);
  const parsed = schema.safeParse(value);
  if (strict === undefined) return false;
  assert.ok(parsed.success, `${name} accepts what zod refuses: ${parsed.error?.message}`);
  assert.deepEqual(strict, parsed.data, name);
  return true;
}

const origin: Origin = { account: `0x${"d".repeat(40)}`, source: "stream", seenAtMs: 0 };

/** The rows of a frame, with the venue's own objects. */
function rowsOf({ content }: Reading): Any[] {
  const facts = factRows(content, origin);
  if (facts !== null) return Object.values(facts).flat();
  switch (content.type) {
    case "openOrders":
      return openOrderRows(origin, content.rows);
    case "clearinghouseState":
      return [
        ...positionRows(origin.account, content.dex, content.state, 0),
        { ...totalsOf(content.state.value), raw: content.state.raw },
      ];
    case "trades":
      return content.rows.map(tradeRow);
    case "candle":
      return content.rows.map((row) => candleRow(row, 0));
    case "assetCtx":
      return [assetCtxRow(content.ctx, 0)];
    case "book":
      return [bookRow(content.book)];
    case "mids":
      return midRows(content.dex, content.mids, null, 0).sort((a, b) => (a.coin < b.coin ? -1 : 1));
    default:
      return [];
  }
}

/** What the whole of a state tells, absent being null; keys that no schema names are in its raw object. */
const marginOf = (margin: WireStateParts["marginSummary"]) =>
  margin && [margin.accountValue, margin.totalNtlPos, margin.totalRawUsd, margin.totalMarginUsed];
const totalsOf = (state: WireStateParts) => ({
  marginSummary: marginOf(state.marginSummary),
  crossMarginSummary: marginOf(state.crossMarginSummary),
  crossMaintenanceMarginUsed: state.crossMaintenanceMarginUsed ?? null,
  withdrawable: state.withdrawable,
  timeMs: state.time ?? null,
  leverage: state.assetPositions.map(({ position }) => position.leverage?.rawUsd ?? null),
});

const said = (reading: Reading) => {
  const { type, dex, complete } = reading.content as Any;
  const rows = rowsOf(reading).map((row) => ("raw" in row ? { ...row, raw: parsed(row.raw) } : row));
  return {
    type,
    dex,
    complete,
    rows,
    user: reading.user,
    isSnapshot: reading.isSnapshot,
    unread: reading.unread,
  };
};

const dataAt = (text: string): number => text.indexOf('"data":') + '"data":'.length;

/** Whether the text was read as it is; then as its parsed value is read. */
function readsText(text: string): boolean {
  const frame = readFrame(text);
  if (frame.type !== "data" || frame.channel.readText === undefined) return false;
  const scan = new TextScan(text, dataAt(text));
  if (frame.channel.readText(scan) === null || !scan.endsWith("}")) return false;
  const json = readJson(text);
  assert.ok(isRead(json), "a text that is read is JSON");
  assert.deepEqual(said(frame.reading), said(frame.channel.read((json.value as Any).data)));
  return true;
}

/** Their transforms are for zod alone. */
const ZOD_ONLY = new Set(["WireWebData2", "WireWebData3", "WireSpotMetaAndCtxs"]);

describe("the compiled reading", () => {
  let corpus: { sample: Sample; places: Place[] }[];
  before(async () => {
    corpus = (await hostileCorpus()).map((sample) => ({ sample, places: placesOf(sample) }));
  });

  it("accepts all that zod accepts of what the venue sends", () => {
    const missed = new Set<string>();
    for (const { sample, places } of corpus) {
      assert.ok(places.length > 0, sample.name);
      for (const place of places) if (!agrees(place, at(sample.body, place.path))) missed.add(place.name);
    }
    assert.deepEqual(
      [...missed].filter((name) => !ZOD_ONLY.has(name)),
      [],
    );
  });

  it("reads every kind of frame that comes often from its text", () => {
    const quick = new Set<string>();
    for (const { sample } of corpus) {
      if (sample.request !== null) continue;
      if (readsText(JSON.stringify(sample.body))) quick.add((sample.body as Any).channel);
      else if (sample.name.startsWith("simulated")) quick.delete((sample.body as Any).channel);
    }
    assert.deepEqual(
      CHANNELS.filter(({ channel, readText }) => readText && !quick.has(channel)).map(
        ({ channel }) => channel,
      ),
      ["activeSpotAssetCtx"],
    );
  });

  it(`says the same of ${SPOILT} spoilt texts and of what they hold`, () => {
    const frames = corpus.filter(({ sample }) => sample.request === null);
    let quick = 0;
    for (let index = 1; index <= SPOILT; index++) {
      const { sample } = frames[index % frames.length]!;
      const root = { value: structuredClone(sample.body) };
      const random = seededRandom(index);
      const done = spoil(root, random);
      // Sometimes the text too: a character gone, doubled, or another one.
      let text = textOf(root.value);
      if (random.next() < 0.3) {
        const at = Math.floor(random.next() * text.length);
        const other = text[Math.floor(random.next() * text.length)]!;
        text = text.slice(0, at) + ["", text[at], other][Math.floor(random.next() * 3)] + text.slice(at + 1);
      }
      try {
        if (readsText(text)) quick++;
      } catch (error) {
        throw new Error(`mutation ${index} of ${sample.name}: ${done.join("; ")}\n${text.slice(0, 2_000)}`, {
          cause: error,
        });
      }
    }
    assert.ok(quick > SPOILT / 20, `${quick} read from the text`);
  });

  it(`says the same as zod of ${SPOILT} spoilt ones`, () => {
    let [accepted, refused] = [0, 0];
    for (let index = 1; index <= SPOILT; index++) {
      const { sample, places } = corpus[index % corpus.length]!;
      const root = { value: structuredClone(sample.body) };
      const done = spoil(root, seededRandom(index));
      const read = readJson(textOf(root.value));
      if (!isRead(read)) continue;
      for (const place of places) {
        try {
          if (agrees(place, at(read.value, place.path))) accepted++;
          else refused++;
        } catch (error) {
          throw new Error(`mutation ${index} of ${sample.name}: ${done.join("; ")}`, { cause: error });
        }
      }
    }
    assert.ok(accepted > SPOILT && refused > SPOILT / 4, `${accepted} accepted, ${refused} refused`);
  });
});
