/** What the compiled reading accepts is what zod accepts, and the same value: over captures, simulated payloads, and both spoilt. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { z } from "zod";
import { isRead, readJson } from "../../src/protocol/decode.ts";
import * as schemas from "../../src/protocol/schemas.ts";
import { strictly } from "../../src/protocol/strict.ts";
import { seededRandom } from "../../src/runtime/random.ts";
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
      ...{ path, name, schema },
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

/** Their transforms are for zod alone. */
const ZOD_ONLY = new Set(["WireWebData2", "WireWebData3", "WireSpotMetaAndCtxs"]);

describe("the compiled reading", { timeout: 120_000 }, () => {
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
