/** House rules as tests: the layer rule, the few files that may touch the outside, names. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";

const files = globSync("src/**/*.ts").map((path) => ({ path, text: readFileSync(path, "utf8") }));
const layerOf = (path: string): string => (path.split("/").length === 2 ? "root" : path.split("/")[1]!);

/** Which layers each layer may import values from. `root` is errors.ts, which everybody knows, and config.ts and index.ts. */
const ALLOWED: Record<string, readonly string[]> = {
  runtime: [],
  protocol: ["runtime"],
  connection: ["runtime", "protocol"],
  sync: ["runtime", "protocol"],
  store: ["runtime", "protocol", "sync"],
  outputs: ["runtime", "protocol", "sync", "store"],
  exchange: ["runtime", "protocol", "sync"],
  simulator: ["runtime", "protocol"],
  cli: ["runtime", "protocol", "connection", "sync", "store", "outputs", "exchange", "simulator"],
};
/** Ports: types only, so that an implementation can name what it implements. */
const TYPES_FROM: Record<string, readonly string[]> = { connection: ["sync"] };

interface Import {
  from: string;
  typeOnly: boolean;
}

const importsOf = (text: string): Import[] =>
  [...text.matchAll(/^\s*(?:import|export)\s+(type\s+)?[^;]*?from\s+"([^"]+)";/gms)].map((match) => ({
    from: match[2]!,
    typeOnly: match[1] !== undefined,
  }));

describe("tidy", () => {
  it("numbers migrations without a gap, each once", () => {
    const numbers = globSync("migrations/*.sql").map((path) =>
      Number(/(\d{4})_[a-z_]+\.sql$/.exec(path)?.[1]),
    );
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      numbers.map((_, at) => at + 1),
    );
  });

  it("keeps the layer rule", () => {
    const broken: string[] = [];
    for (const { path, text } of files) {
      const layer = layerOf(path);
      if (layer === "root") continue;
      for (const { from, typeOnly } of importsOf(text)) {
        if (!from.startsWith(".")) continue;
        const target = normalize(join(dirname(path), from));
        const other = layerOf(target);
        const known =
          target === "src/errors.ts" || (target === "src/config.ts" && layer === "cli") || other === layer;
        const allowed = ALLOWED[layer]?.includes(other) || (typeOnly && TYPES_FROM[layer]?.includes(other));
        if (!known && !allowed) broken.push(`${path} imports ${target}`);
      }
    }
    assert.deepEqual(broken, []);
    assert.ok(files.length > 60);
  });

  it("lets what is observed know neither the metrics nor the pages that show it", () => {
    const shown: Record<string, RegExp> = { observation: /\/(http|metrics)\//, metrics: /\/http\// };
    const broken = files.flatMap(({ path, text }) => {
      const [, , folder = ""] = path.split("/");
      return importsOf(text)
        .map(({ from }) => from)
        .filter((from) => path.startsWith("src/outputs/") && shown[folder]?.test(from))
        .map((from) => `${path} imports ${from}`);
    });
    assert.deepEqual(broken, []);
  });

  const outside: Record<string, { pattern: RegExp; allowed: RegExp }> = {
    "the wall clock": {
      pattern: /\bDate\.now\(|\bnew Date\(\)|performance\.now\(/,
      allowed: /^src\/runtime\/clock\.ts$/,
    },
    chance: { pattern: /\bMath\.random\(/, allowed: /^src\/runtime\/random\.ts$/ },
    timers: {
      pattern: /\b(setTimeout|setInterval|setImmediate)\(/,
      // The virtual clock lets promises settle; the database driver's own time-outs are about its socket.
      allowed: /^src\/(runtime\/clock|simulator\/virtualWorld|store\/(postgres|cancel))\.ts$/,
    },
    "WebSocket packages": {
      pattern: /from "ws"/,
      allowed: /^src\/(connection\/webSocket|simulator\/server\/server)\.ts$/,
    },
    "the PostgreSQL driver": {
      pattern: /from "pg"/,
      allowed: /^src\/store\/(client|postgres|embedded)\.ts$/,
    },
    fetch: { pattern: /\bfetch\(/, allowed: /^src\/(connection\/httpPost|outputs\/.*\/\w*[sS]end)\.ts$/ },
  };
  for (const [what, { pattern, allowed }] of Object.entries(outside)) {
    it(`keeps ${what} in the few files that are meant for it`, () => {
      const found = files.filter(({ path, text }) => !allowed.test(path) && pattern.test(code(text)));
      assert.deepEqual(
        found.map(({ path }) => path),
        [],
      );
    });
  }

  it("has no file or folder that only says that it helps", () => {
    assert.deepEqual(
      globSync(["src/**", "test/**", "dashboard/**"], {
        exclude: (path) => String(path).includes("node_modules"),
      }).filter((path) => /(^|\/)(utils?|helpers?|managers?|services?|common|misc)(\.|\/|$)/i.test(path)),
      [],
    );
  });

  it("opens every module with what it guarantees or is for", () => {
    assert.deepEqual(
      files.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path),
      [],
    );
  });

  it("names no machine path, and no host but the venue's, ours and documentation's, in what is shipped", () => {
    const leaks = files.filter(({ text }) => /["'`\s](\/work\/|\/home\/\w|\/root\/)/.test(text));
    assert.deepEqual(
      leaks.map(({ path }) => path),
      [],
    );
  });
});

/** The text without comments, in which the forbidden words may well be explained. */
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
