/** The order of fills of one millisecond: the rule of the program and that of the database, held against each other. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { linkChain } from "../../src/sync/chain.ts";
import { useDatabase } from "../support/postgres.ts";

/** From a position to another; few positions, so that they knot. */
const position = fc.integer({ min: -2, max: 2 });
const step = fc.tuple(position, position).filter(([from, to]) => from !== to);
const knot = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  previous: fc.option(position),
});

const target = useDatabase("all");

it("chains the fills of one millisecond as the database does, whatever the knot", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(knot, { minLength: 50, maxLength: 50 }), async (knots) => {
      const rows = await target.database.query<{ ranks: number[] }>(
        `select to_json(hl_internal.chain_order(k.befores, k.afters, k.previous)) as ranks
         from json_to_recordset($1) as k(i integer, befores numeric[], afters numeric[], previous numeric) order by k.i`,
        [
          JSON.stringify(
            knots.map(({ steps, previous }, i) => ({
              i,
              befores: steps.map(([from]) => from),
              afters: steps.map(([, to]) => to),
              previous,
            })),
          ),
        ],
      );
      for (const [i, { steps, previous }] of knots.entries()) {
        const fills = steps.map(([from, to], index) => ({
          index,
          coin: "BTC",
          timeMs: 1,
          side: to > from ? ("buy" as const) : ("sell" as const),
          size: String(Math.abs(to - from)),
          startPosition: String(from),
        }));
        const start = previous === null ? null : { timeMs: 0, position: String(previous) };
        const ours = linkChain(fills, start).ordered.map(({ index }) => index);
        const theirs = ours.map((index) => rows[i]!.ranks[index]!);
        assert.deepEqual(
          theirs,
          steps.map((_, rank) => rank + 1),
          `${JSON.stringify({ steps, previous })}: ${ours}`,
        );
      }
    }),
    { numRuns: 40 },
  );
});
