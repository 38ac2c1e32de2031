/** The files for Prometheus and Grafana: every metric and label exists, every query answers, promtool finds no fault. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { HOPS } from "../../../src/outputs/metrics/latency.ts";
import type { MetricSpec } from "../../../src/outputs/metrics/registry.ts";
import { METRICS } from "../../../src/outputs/metrics/table.ts";
import { normal } from "../../../src/runtime/decimal.ts";
import { migrate } from "../../../src/store/migrate.ts";
import { openPostgres } from "../../../src/store/postgres.ts";
import { ACCOUNT, makeAccount } from "../../e2e/dashboardAccount.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../../support/postgres.ts";
import { findPromtool, NO_PROMTOOL } from "./promtool.ts";

const DEPLOY = fileURLToPath(new URL("../../../deploy/", import.meta.url));
const read = (path: string): string => readFileSync(join(DEPLOY, path), "utf8");

interface Target {
  refId: string;
  datasource: { type: string; uid: string };
  expr?: string;
  legendFormat?: string;
  rawSql?: string;
  format?: string;
}
interface Panel {
  id: number;
  type: string;
  title: string;
  datasource?: { type: string; uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  fieldConfig?: { overrides: { matcher: { id: string; options: string } }[] };
  options?: { xField?: string };
}
interface Variable {
  name: string;
  type: string;
  query: string | { query: string };
  datasource?: { type: string; uid: string };
}
interface Dashboard {
  uid: string;
  title: string;
  schemaVersion: number;
  templating: { list: Variable[] };
  links: { url: string }[];
  panels: Panel[];
}

const DASHBOARDS = {
  sync: "prometheus",
  trading: "grafana-postgresql-datasource",
} as const;
const dashboardOf = (name: string): Dashboard => JSON.parse(read(`grafana/${name}.json`)) as Dashboard;
const targetsOf = ({ panels }: Dashboard): (Target & { title: string })[] =>
  panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ ...target, title })));
const queryOf = ({ query }: Variable): string => (typeof query === "string" ? query : query.query);

interface Rule {
  alert: string;
  expr: string;
  /** Labels and annotations. */
  rest: string;
}
const rulesOf = (text: string): Rule[] =>
  text
    .split(/^ {6}- alert: /m)
    .slice(1)
    .map((block) => {
      const [, alert, expr, rest] = /^(\w+)\n {8}expr: (.+)\n([\s\S]*)$/.exec(block)!;
      return { alert: alert!, expr: expr!, rest: rest! };
    });

/** What Prometheus adds to every series. */
const TARGET_LABELS = ["instance", "job"];
const specOf = (name: string): MetricSpec | undefined => {
  const table: Record<string, MetricSpec> = METRICS;
  const base = name.replace(/_(bucket|sum|count)$/, "");
  return table[name] ?? (table[base]?.type === "histogram" ? table[base] : undefined);
};

/** Metrics of an expression, the labels it names, and those that its result has. */
function readExpression(expr: string): { names: string[]; labels: string[]; kept: string[] } {
  const bare = expr.replace(/"[^"]*"/g, '""');
  const names = [...new Set(bare.match(/\b(hlsync|process|nodejs)_\w+/g))];
  const own = names.flatMap((name) => specOf(name)?.labels ?? []);
  const matched = [...bare.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside]) =>
    [...inside!.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
  );
  const grouped = [...bare.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].map(([, list]) =>
    list!.split(",").map((label) => label.trim()),
  );
  const by = [...bare.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, list]) =>
    list!.split(",").map((label) => label.trim()),
  );
  const aggregates = /\b(sum|max|min|avg|count)\b/.test(bare);
  return {
    names,
    labels: [...matched, ...grouped.flat()],
    kept: aggregates ? by : [...own, ...TARGET_LABELS],
  };
}

/** Throws where an expression names what hlsync does not export. */
function checkExpression(expr: string, words: string, where: string): void {
  const { names, labels, kept } = readExpression(expr);
  assert.ok(names.length > 0, `${where}: no metric of ours in ${expr}`);
  for (const name of names) assert.ok(specOf(name), `${where}: there is no metric ${name}`);
  const known = [...names.flatMap((name) => specOf(name)!.labels), ...TARGET_LABELS];
  const isHistogram = names.some((name) => name.endsWith("_bucket"));
  for (const label of labels)
    assert.ok(
      known.includes(label) || (isHistogram && label === "le"),
      `${where}: ${names} has no label ${label}`,
    );
  for (const [, hops] of expr.matchAll(/hop=~?"([^"]+)"/g))
    for (const hop of hops!.split("|"))
      assert.ok(
        HOPS.some((one) => one === hop),
        `${where}: ${hop}`,
      );
  // What the words show must be left after the aggregation.
  for (const [, label] of words.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g))
    assert.ok(kept.includes(label!), `${where}: the result has no label ${label}`);
}

describe("the alert rules", () => {
  const text = read("prometheus/hlsync.rules.yml");
  const rules = rulesOf(text);

  it("name only metrics and labels that are exported", () => {
    assert.equal(rules.length, text.match(/- alert:/g)!.length);
    for (const { alert, expr, rest } of rules) checkExpression(expr, rest, alert);
  });

  it("say what to do, each with a severity", () => {
    for (const { alert, rest } of rules) {
      assert.match(rest, /labels: \{ severity: (warning|critical) \}/, alert);
      assert.match(rest, /summary: /, alert);
      assert.match(rest, /description: /, alert);
    }
  });

  it("are each seen firing and not firing in the tests for promtool", () => {
    const tests = read("prometheus/hlsync.rules.test.yml");
    for (const name of new Set(rules.map(({ alert }) => alert))) {
      assert.match(tests, new RegExp(`alertname: ${name}\\n +exp_alerts:\\n`), name);
      assert.match(tests, new RegExp(`alertname: ${name}, exp_alerts: \\[\\]`), name);
    }
    const severities = tests.match(/severity: \w+/g)!;
    assert.ok(severities.length >= rules.length);
    for (const [, series] of tests.matchAll(/series: '([^']+)'/g)) checkExpression(series!, "", series!);
  });

  it("are the ones that the documentation lists", () => {
    const page = readFileSync(new URL("../../../docs/monitoring.md", import.meta.url), "utf8");
    const documented = [...page.matchAll(/^\| `(Hlsync\w+)` \|/gm)].map(([, name]) => name!);
    assert.deepEqual(documented, [...new Set(rules.map(({ alert }) => alert))]);
  });
});

describe("promtool", () => {
  const skip = findPromtool() === null && NO_PROMTOOL;
  const promtool = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(findPromtool()!, args, {
      cwd: join(DEPLOY, "prometheus"),
      encoding: "utf8",
    });
    assert.equal(status, 0, `promtool ${args.join(" ")}\n${stdout}\n${stderr}`);
    return stdout + stderr;
  };

  it("finds no fault in the rules and in the example configuration", { skip }, () => {
    const count = rulesOf(read("prometheus/hlsync.rules.yml")).length;
    assert.match(promtool("check", "rules", "hlsync.rules.yml"), new RegExp(`${count} rules found`));
    promtool("check", "config", "prometheus.yml");
  });

  it("sees every alert begin, not before its time, and end", { skip }, () => {
    assert.match(promtool("test", "rules", "hlsync.rules.test.yml"), /SUCCESS/);
  });

  it("understands every expression of the dashboard", { skip }, () => {
    const folder = temporaryFolder();
    try {
      const rules = targetsOf(dashboardOf("sync")).map(({ expr }, index) => {
        const plain = expr!.replaceAll("$__rate_interval", "5m").replaceAll("$account", ".*");
        return { record: `panel:${index}`, expr: plain };
      });
      const path = join(folder.path, "panels.yml");
      // JSON is YAML.
      writeFileSync(path, JSON.stringify({ groups: [{ name: "panels", rules }] }));
      assert.match(promtool("check", "rules", path), new RegExp(`${rules.length} rules found`));
    } finally {
      folder.remove();
    }
  });
});

describe("the Grafana dashboards", () => {
  for (const [name, type] of Object.entries(DASHBOARDS)) {
    const dashboard = dashboardOf(name);
    const { panels, templating } = dashboard;

    it(`${name}: has the parts that Grafana asks for`, () => {
      assert.equal(dashboard.uid, `hlsync-${name}`);
      assert.ok(Number.isInteger(dashboard.schemaVersion) && dashboard.schemaVersion >= 36);
      const ids = panels.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      for (const { title, type: kind, gridPos, targets } of panels) {
        assert.ok(title !== "" && kind !== "", JSON.stringify(gridPos));
        if (kind === "row") continue;
        assert.ok(targets!.length > 0, title);
        assert.equal(new Set(targets!.map(({ refId }) => refId)).size, targets!.length, title);
      }
      // A dashboard leads to the other one.
      const others = Object.keys(DASHBOARDS).filter((other) => other !== name);
      assert.deepEqual(
        dashboard.links.map(({ url }) => url),
        others.map((other) => `/d/hlsync-${other}`),
      );
    });

    it(`${name}: asks one data source, chosen at the top, of a kind that is provisioned`, () => {
      const [source] = templating.list.filter(({ type: kind }) => kind === "datasource");
      assert.deepEqual([source!.name, source!.query], ["datasource", type]);
      const wanted = { type, uid: `\${datasource}` };
      for (const panel of panels.filter((one) => one.type !== "row")) {
        assert.deepEqual(panel.datasource, wanted, panel.title);
        for (const target of panel.targets!) assert.deepEqual(target.datasource, wanted, panel.title);
      }
      for (const variable of templating.list.filter((one) => one.type === "query"))
        assert.deepEqual(variable.datasource, wanted, variable.name);
      const provisioned = read("grafana/provisioning/datasources/hlsync.yml");
      assert.match(provisioned, new RegExp(`^ {4}type: ${type}$`, "m"));
      assert.match(
        read("grafana/provisioning/dashboards/hlsync.yml"),
        /^ {6}path: \/var\/lib\/grafana\/dashboards\/hlsync$/m,
      );
    });

    it(`${name}: panels lie side by side, never one on another`, () => {
      const taken = new Map<string, string>();
      for (const { title, gridPos } of panels) {
        const { x, y, w, h } = gridPos;
        assert.ok(x >= 0 && w > 0 && x + w <= 24 && h > 0, title);
        for (let column = x; column < x + w; column++)
          for (let line = y; line < y + h; line++) {
            assert.equal(taken.get(`${column} ${line}`), undefined, `${title} lies on another panel`);
            taken.set(`${column} ${line}`, title);
          }
      }
    });

    it(`${name}: uses no variable that is not there`, () => {
      const known = new Set([...templating.list.map((one) => one.name), "__interval", "__rate_interval"]);
      const texts = [
        ...targetsOf(dashboard).map(({ expr, rawSql }) => expr ?? rawSql ?? ""),
        ...templating.list.map(queryOf),
      ];
      for (const text of texts)
        for (const [, braced, plain] of text.matchAll(/\$(?:\{(\w+)(?::\w+)?\}|(\w+)\b(?!\())/g))
          assert.ok(known.has((braced ?? plain)!), text);
      assert.ok(texts.some((text) => /\$\{?account/.test(text)));
    });
  }

  it("sync: names only metrics and labels that are exported", () => {
    const dashboard = dashboardOf("sync");
    for (const { expr, legendFormat, title } of targetsOf(dashboard))
      checkExpression(expr!, legendFormat ?? "", title);
    const account = dashboard.templating.list.find(({ name }) => name === "account")!;
    const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(queryOf(account))!;
    assert.ok(specOf(metric!)?.labels.includes(label!), queryOf(account));
  });
});

describe("the queries of the trading dashboard", () => {
  let server: TestServer;
  let target: TestDatabase;
  /** As the role that `reader.sql` makes. */
  let reader: ReturnType<typeof openPostgres>;
  let nowMs: number;

  before(async () => {
    nowMs = Date.now();
    server = await startServer();
    target = await server.newDatabase();
    await makeAccount(target.store, { fills: 3_000, nowMs, seed: 5 });
    await target.store.openAccount(ACCOUNT, "main", nowMs - 60 * 86_400_000);
    await target.database.query(
      `insert into hl_alerts (key, rule, state, severity, message, started_at) values ('k', 'gap', 'firing', 'warn', 'm', now())`,
    );
    // As autovacuum would within a minute: plans without figures of the tables are slow.
    await target.database.query("analyze");
    // The same twice: an upgrade brings new tables.
    for (let turn = 0; turn < 2; turn++) await target.database.query(read("grafana/reader.sql"));
    reader = openPostgres(target.url, { maxConnections: 1 });
    await reader.query("set role hlsync_reader");
  });
  after(async () => {
    await reader?.close();
    await target?.close();
    await server?.stop();
  });

  /** As Grafana puts in what it knows. @see https://grafana.com/docs/grafana/latest/datasources/postgres/#macros */
  function interpolate(sql: string): string {
    const [from, to] = [nowMs - 30 * 86_400_000, nowMs + 60_000].map(
      (ms) => `'${new Date(ms).toISOString()}'`,
    );
    const text = sql
      .replaceAll(`\${account:sqlstring}`, `'${ACCOUNT}'`)
      .replaceAll("$__interval", "30m")
      .replace(/\$__timeFilter\(([^)]*)\)/g, `$1 BETWEEN ${from} AND ${to}`)
      .replace(/\$__timeGroup\(([^,)]*), 30m\)/g, "floor(extract(epoch from $1)/1800)*1800")
      .replaceAll("$__timeFrom()", from!);
    assert.doesNotMatch(text, /\$/, `a macro that is not known: ${sql}`);
    return text;
  }
  const ask = (sql: string) => reader.query<Record<string, unknown>>(interpolate(sql));

  const dashboard = dashboardOf("trading");

  it("are asked in another schema too, where hlsync was told to use one", async () => {
    const empty = await server.newDatabase({ migrated: false });
    const there = openPostgres(empty.url, { schema: "trading", maxConnections: 1 });
    try {
      await migrate(there);
      await empty.database.query(read("grafana/reader.sql"));
      // What a login as this role begins with.
      const [found] = await empty.database.query<{ path: string }>(
        `select setconfig as path from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
         where d.datname = current_database()`,
      );
      assert.deepEqual(found, { path: "{search_path=trading}" });
      await there.query("set role hlsync_reader");
      await there.query("set search_path = trading");
      for (const { targets = [] } of dashboard.panels)
        for (const { rawSql } of targets) await there.query(interpolate(rawSql!));
    } finally {
      await there.close();
      await empty.close();
    }
  });

  it("the list of accounts answers with names and addresses", async () => {
    const account = dashboard.templating.list.find(({ name }) => name === "account")!;
    assert.deepEqual(await ask(queryOf(account)), [{ __text: "main", __value: ACCOUNT }]);
  });

  for (const { title, targets = [], fieldConfig, options } of dashboard.panels) {
    for (const { rawSql, format, refId } of targets) {
      it(`${title} (${refId}) answers, with the columns that the panel names`, async () => {
        const rows = await ask(rawSql!);
        assert.ok(rows.length > 0, "no rows");
        const columns = Object.keys(rows[0]!);
        for (const { matcher } of fieldConfig!.overrides) {
          assert.equal(matcher.id, "byName");
          assert.ok(columns.includes(matcher.options), `no column ${matcher.options} in ${columns}`);
        }
        if (options?.xField) assert.ok(columns.includes(options.xField));
        if (format !== "time_series") return;
        assert.equal(columns[0], "time");
        const values = columns.filter((name) => name !== "time" && name !== "metric");
        assert.ok(values.length > 0);
        for (const row of rows) {
          for (const name of values)
            assert.ok(row[name] === null || Number.isFinite(Number(row[name])), `${name} ${row[name]}`);
        }
        const times = rows.map(({ time }) =>
          Number.isFinite(Number(time)) ? Number(time) * 1_000 : Date.parse(String(time)),
        );
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
        assert.ok(times.every((ms) => Math.abs(ms - nowMs) < 31 * 86_400_000));
      });
    }
  }

  it("agree with each other: the days add up to the whole", async () => {
    const sqlOf = (title: string) =>
      dashboard.panels.find((panel) => panel.title === title)!.targets![0]!.rawSql!;
    const [whole] = await ask(sqlOf("Net profit"));
    const days = await ask(sqlOf("Net profit of the period"));
    const coins = await ask(sqlOf("Net profit by coin in the period"));
    const [sum] = await target.database.query<{ sum: string }>(
      "select trim_scale(sum(n::numeric))::text as sum from unnest($1::text[]) as n",
      [coins.map(({ net }) => String(net))],
    );
    assert.notEqual(Number(whole!.net), 0);
    // The same number, whatever zeros stand at its end.
    const net = normal(String(whole!.net));
    assert.equal(normal(String(days.at(-1)!.net)), net);
    assert.equal(normal(sum!.sum), net);
  });

  it("can read no secret and change nothing", async () => {
    for (const table of ["webhook_secrets", "webhook_endpoints", "outbox", "quarantine", "leases"])
      await assert.rejects(reader.query(`select * from hl_internal.${table}`), /permission denied/, table);
    await assert.rejects(reader.query("delete from hl_fills"), /permission denied/);
  });
});
