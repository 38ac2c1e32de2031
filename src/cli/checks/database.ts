/**
 * Is the database one that hlsync can work with? Guarantees: reads only, migrates nothing, makes nothing; a password is
 * never shown. Each remedy is a statement or a setting that can be copied.
 */
import { errorText, MigrationError, StoreError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Database, Queryable } from "../../store/database.ts";
import { knownDefinitions, madeObjects } from "../../store/definitions.ts";
import { readHolders } from "../../store/fleet.ts";
import { strangersError } from "../../store/legacy.ts";
import { pendingMigrations, strangersInTheWay } from "../../store/migrate.ts";
import { NO_PRIVILEGE, openPostgres } from "../../store/postgres.ts";
import { isSupabase, tlsWishOf } from "../../store/target.ts";
import type { Address } from "../../sync/rows.ts";
import { followDuty } from "../../sync/standby.ts";
import { EXIT } from "../command.ts";
import { deliveryFindings } from "./delivery.ts";
import { type Finding, fail, note, ok, warn } from "./finding.ts";

/** A commit takes a round trip; slower than this, a busy account's stream waits for the database. */
const SLOW_ROUND_TRIP_MS = 100;
const CONNECT_TIMEOUT_MS = 8_000;

interface DatabaseQuestion {
  database: Database;
  clock: Clock;
  accounts: readonly Address[];
}

interface ServerFacts extends Record<string, unknown> {
  version: string;
  number: number;
  encoding: string;
  is_standby: boolean;
  read_only: boolean;
  role: string;
  name: string;
  statement_ms: number;
  lock_ms: number;
  isolation: string;
  /** Asked of the catalogue, which every role may read. */
  is_migrated: boolean;
  is_owner: boolean;
}

/** Everything that can be asked over one connection. */
export async function checkDatabase(question: DatabaseQuestion): Promise<Finding[]> {
  const { database, clock, accounts } = question;
  const startedAtMs = clock.now();
  let facts: ServerFacts;
  try {
    const [row] = await database.query<ServerFacts>(
      `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
         current_setting('server_encoding') as encoding, pg_is_in_recovery() as is_standby,
         current_setting('default_transaction_read_only') = 'on' as read_only,
         (select s.setting::int from pg_catalog.pg_settings s where s.name = 'statement_timeout') as statement_ms,
         (select s.setting::int from pg_catalog.pg_settings s where s.name = 'lock_timeout') as lock_ms,
         current_setting('default_transaction_isolation') as isolation,
         current_user as role, current_database() as name, count(m.oid) > 0 as is_migrated,
         coalesce(bool_and(pg_has_role(m.relowner, 'usage')), true) as is_owner
       from (select c.oid, c.relowner from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'hl_internal' and c.relname = 'leases') m`,
    );
    facts = row!;
  } catch (error) {
    return [unreachableFinding(error, database.describe())];
  }
  const connectedMs = clock.now() - startedAtMs;
  const findings = [
    ok("database", `${database.describe()} answers, connected in ${connectedMs} ms`),
    await roundTripFinding(database, clock),
    versionFinding(facts),
    writableFinding(facts),
    ...settingsFindings(facts),
  ];
  const { is_migrated: isMigrated, is_owner: isOwner } = facts;
  findings.push(await pendingFinding(database, isMigrated, isOwner));
  const grants = isMigrated ? await grantsFinding(database, facts) : await creationFinding(database, facts);
  findings.push(grants);
  if (!isMigrated || grants.status !== "ok") return findings;
  const access = await accessFinding(database);
  const lost = await lostFinding(database);
  return [
    ...findings,
    ...(lost ? [lost] : []),
    ...(access ? [access] : []),
    await instanceFinding(database, accounts),
    ...(await deliveryFindings(database)),
  ];
}

/** Words for what the driver said; `StoreError` has the essence already. */
function unreachableFinding(error: unknown, described: string): Finding {
  const message = errorText(error);
  const why = "nothing can be stored";
  return fail("database", EXIT.database, message, why, connectRemedy(message, described));
}

function connectRemedy(message: string, described: string): string {
  const project = /db\.([a-z0-9]+)\.supabase\.co/.exec(described)?.[1];
  if (project && /no such host|no route|unreachable|no answer/.test(message))
    return `the direct host of a Supabase project has an IPv6 address only: use the session pooler's URL (Connect → Session pooler: user postgres.${project}, host aws-…pooler.supabase.com, port 5432)`;
  if (/tenant|user not found/i.test(message))
    return "the pooler's user is postgres.<project ref>, and the host that of the project's region: copy the URL from Connect in the Supabase dashboard";
  if (/no such host|cannot be resolved/.test(message))
    return "correct the host in DATABASE_URL, or mend the name service of this machine";
  if (/does not offer TLS/.test(message))
    return "put sslmode=disable into the database URL, or let the server offer TLS (ssl = on)";
  if (/^the pooler at/.test(message))
    return "correct user, password and database name in DATABASE_URL, which the pooler does not tell apart; percent-encode special characters (@ is %40)";
  if (/refused$|connection refused/.test(message))
    return "start the server, or correct host and port; without --database an embedded one is used";
  if (/wrong password/.test(message))
    return "correct the password in DATABASE_URL; percent-encode special characters (@ is %40)";
  if (/there is no database/.test(message)) return "create database …, or correct the name after the last /";
  return "try the same URL with psql; set it with --database or DATABASE_URL";
}

async function roundTripFinding(database: Database, clock: Clock): Promise<Finding> {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const sentAtMs = clock.now();
    await database.query("select 1");
    times.push(clock.now() - sentAtMs);
  }
  const ms = Math.min(...times);
  if (ms <= SLOW_ROUND_TRIP_MS) return ok("latency", `a round trip to the database takes ${ms} ms`);
  return warn(
    "latency",
    `a round trip to the database takes ${ms} ms`,
    "every commit waits for one: what is seen live is that much later in the tables",
    "run hlsync near the database, in the same region",
  );
}

function versionFinding({ version, number, encoding }: ServerFacts): Finding {
  const says = `PostgreSQL ${version}`;
  if (number < 140_000) {
    const why = "multiranges and SQL-standard function bodies came with 14";
    return fail("version", EXIT.migration, `${says} is too old`, why, "upgrade the server to 15 or newer");
  }
  if (encoding !== "UTF8") {
    const why = "aliases and the venue's texts may hold any character";
    const fix = "create database hlsync encoding 'UTF8' template template0";
    return warn("version", `${says}, with encoding ${encoding}`, why, fix);
  }
  if (number < 150_000) {
    const why = "views run with their owner's rights before 15, past row level security";
    return note("version", says, why, "upgrade to 15 or newer before giving others access to the views");
  }
  return ok("version", says);
}

function writableFinding({ is_standby, read_only, name }: ServerFacts): Finding {
  if (is_standby) {
    const fix = "use the URL of the primary server";
    return fail("writable", EXIT.database, "the server is a standby", "it takes no writes", fix);
  }
  if (read_only) {
    const why =
      "every write would be refused; Supabase sets this when a project's disk is full or it is paused";
    const fix = `make room, then: alter database "${name}" set default_transaction_read_only = off`;
    return fail("writable", EXIT.database, "the database is read-only by default", why, fix);
  }
  return ok("writable", "the server takes writes");
}

/** Shorter ones end a migration, or a sum over a long history. */
const STATEMENT_LEAST_MS = 10_000;
/** Writers of one account wait for each other. */
const LOCK_LEAST_MS = 1_000;

/** What somebody set for this role or this database, and hlsync cannot do with. */
function settingsFindings({ statement_ms, lock_ms, isolation, role, name }: ServerFacts): Finding[] {
  const wrong: [setting: string, value: string, why: string][] = [];
  if (statement_ms > 0 && statement_ms < STATEMENT_LEAST_MS)
    wrong.push([
      "statement_timeout",
      `${statement_ms} ms`,
      "a migration or a sum over a long history takes longer",
    ]);
  if (lock_ms > 0 && lock_ms < LOCK_LEAST_MS)
    wrong.push(["lock_timeout", `${lock_ms} ms`, "writers of one account wait for each other"]);
  if (isolation !== "read committed")
    wrong.push([
      "default_transaction_isolation",
      isolation,
      "the server then refuses writes that meet (40001); joins need no more than read committed",
    ]);
  return wrong.map(([setting, value, why]) =>
    warn(
      "settings",
      `${setting} is ${value} for ${role}`,
      why,
      `alter role "${role}" reset ${setting}; alter database "${name}" reset ${setting}`,
    ),
  );
}

/** Whether somebody dropped what the migrations and definitions made; null where they are another program's. */
async function lostFinding(database: Database): Promise<Finding | null> {
  const [same] = await database.query("select from hl_internal.definitions where checksum = $1", [
    knownDefinitions().checksum,
  ]);
  if (!same) return null;
  const made = madeObjects();
  const lost = await database.query<{ kind: string; name: string }>(
    `select w.kind, s.nspname || '.' || w.name as name
     from unnest($1::text[], $2::boolean[], $3::text[]) as w(kind, is_internal, name)
     join pg_catalog.pg_namespace s on s.oid = case when w.is_internal then 'hl_internal'::regnamespace else 'public'::regnamespace end
     where not case when w.kind = 'function'
       then exists (select from pg_catalog.pg_proc p where p.pronamespace = s.oid and p.proname = w.name)
       else exists (select from pg_catalog.pg_class c where c.relnamespace = s.oid and c.relname = w.name) end
     order by w.kind <> 'table', 2`,
    [made.map(({ kind }) => kind), made.map(({ isInternal }) => isInternal), made.map(({ name }) => name)],
  );
  const [first] = lost;
  if (!first) return ok("objects", `all ${made.length} tables, views and functions are there`);
  const more = lost.length > 1 ? ` and ${lost.length - 1} more` : "";
  const fix =
    first.kind === "table"
      ? `restore it from a backup (pg_restore --table=${first.name.replace(/^.*\./, "")}); without one, hlsync uninstall and begin anew`
      : "delete from hl_internal.definitions; then hlsync migrate makes views and functions again";
  const says = `missing: ${first.kind} ${first.name}${more}`;
  return fail("objects", EXIT.migration, says, "somebody dropped it after the migrations", fix);
}

async function pendingFinding(database: Database, isMigrated: boolean, isOwner: boolean): Promise<Finding> {
  try {
    const pending = await pendingMigrations(database);
    const strangers = pending.length === 0 ? [] : await strangersInTheWay(database);
    if (strangers.length > 0) {
      const { message } = strangersError(database.describe(), strangers);
      const why = "hlsync makes tables of these names, and overwrites nothing";
      const fix = strangers.some(({ isLegacy }) => isLegacy)
        ? "hlsync import-legacy --check, then hlsync import-legacy"
        : `alter … public.${strangers[0]!.name} rename to …`;
      return fail("migrations", EXIT.migration, message, why, fix);
    }
    return pendingWords(pending, isMigrated, isOwner);
  } catch (error) {
    if (error instanceof MigrationError) {
      const why = "a schema of another version is not touched";
      const fix = "use the version of hlsync that made it, or a newer one";
      return fail("migrations", EXIT.migration, error.message, why, fix);
    }
    if (!(error instanceof StoreError && error.sqlState === NO_PRIVILEGE)) throw error;
    return note("migrations", "cannot be read", error.message, "see grants");
  }
}

function pendingWords(pending: readonly string[], isMigrated: boolean, isOwner: boolean): Finding {
  if (pending.length === 0) return ok("migrations", "the schema is up to date");
  const says = isMigrated ? `${pending.length} pending: ${pending.join(", ")}` : "not applied yet";
  if (isOwner)
    return note(
      "migrations",
      says,
      "`run`, `sync` and the others apply them when they start",
      "hlsync migrate",
    );
  const why = "they change tables of another role, which this one may not";
  return fail("migrations", EXIT.migration, says, why, "hlsync migrate --database <URL of the owning role>");
}

/** Before the first migration: may this role make the schema and the tables? */
async function creationFinding(database: Database, { role, name }: ServerFacts): Promise<Finding> {
  const [row] = await database.query<{ schemas: boolean; tables: boolean }>(
    `select has_database_privilege(current_database(), 'create') or to_regnamespace('hl_internal') is not null as schemas,
       coalesce((select has_schema_privilege(n.oid, 'create') from pg_catalog.pg_namespace n where n.nspname = 'public'),
                has_database_privilege(current_database(), 'create')) as tables`,
  );
  const { schemas, tables } = row!;
  if (schemas && tables) return ok("grants", `${role} may make the schema`);
  const statements = [
    ...(schemas ? [] : [`grant create on database "${name}" to "${role}"`]),
    ...(tables ? [] : [`grant usage, create on schema public to "${role}"`]),
  ];
  return fail(
    "grants",
    EXIT.migration,
    `${role} may not make ${[...(schemas ? [] : ["schemas"]), ...(tables ? [] : ["tables in schema public"])].join(" or ")}`,
    "the first start makes schema hl_internal and the hl_* tables",
    `as the owner of the database: ${statements.join("; ")}; or apply \`hlsync migrate --print\` yourself`,
  );
}

interface TableRight extends Record<string, unknown> {
  schema: string;
  relation: string;
  missing: boolean;
  secured: boolean;
}

/** After it: may this role write every table, and does row level security let it? */
async function grantsFinding(database: Database, { role }: ServerFacts): Promise<Finding> {
  const [schema] = await database.query<{ usable: boolean; callable: boolean }>(
    `select has_schema_privilege('hl_internal', 'usage') and has_schema_privilege('public', 'usage') as usable,
       (select bool_and(has_function_privilege(p.oid, 'execute')) from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace where n.nspname = 'hl_internal')
       -- \`apply\` draws the ids of events by itself.
       and has_sequence_privilege('hl_internal.outbox_id_seq', 'usage') as callable`,
  );
  const rights = await database.query<TableRight>(
    `select n.nspname as schema, c.relname as relation,
       -- The policies let every role through that has no rights of these two (sql/access.sql).
       row_security_active(c.oid) and exists (
         select from pg_catalog.pg_roles r where r.rolname in ('anon', 'authenticated') and pg_has_role(r.oid, 'usage')) as secured,
       not (has_table_privilege(c.oid, 'select')
            and (c.relkind = 'v' or (has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'update')
                                     and has_table_privilege(c.oid, 'delete')))) as missing
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v') and (n.nspname = 'hl_internal' or (n.nspname = 'public' and c.relname ~ '^hl_'))
     order by 1, 2`,
  );
  const missing = rights.filter((right) => right.missing);
  const secured = rights.filter((right) => right.secured);
  const { usable, callable } = schema!;
  if (usable && callable && missing.length === 0 && secured.length === 0)
    return ok("grants", `${role} may use all ${rights.length} tables and views`);
  const why = "the first write to such a table would end the program";
  if (!usable || !callable || missing.length > 0) {
    const inPublic = missing
      .filter((right) => right.schema !== "hl_internal")
      .map(({ relation }) => relation);
    const statements = [
      `grant usage on schema public, hl_internal to "${role}"`,
      `grant select, insert, update, delete on all tables in schema hl_internal to "${role}"`,
      `grant execute on all functions in schema hl_internal to "${role}"`,
      `grant usage on all sequences in schema hl_internal to "${role}"`,
      ...(inPublic.length > 0
        ? [
            `grant select, insert, update, delete on ${inPublic.map((table) => `public.${table}`).join(", ")} to "${role}"`,
          ]
        : []),
    ];
    const says =
      missing.length > 0
        ? `${role} may not use ${missing.length} of ${rights.length} tables and views`
        : `${role} may not ${usable ? "call the functions of" : "use"} hl_internal`;
    return fail("grants", EXIT.database, says, why, `as their owner: ${statements.join("; ")}`);
  }
  return fail(
    "grants",
    EXIT.database,
    `row level security holds ${role} back on ${secured.length} tables (${secured[0]!.relation}, …)`,
    "its policies are for readers; the writer must own the tables or pass them by",
    `alter role "${role}" bypassrls; or use the role that owns the tables`,
  );
}

async function instanceFinding(database: Database, accounts: readonly Address[]): Promise<Finding> {
  const held = await readHolders(database);
  const wanted = new Set(accounts.map(followDuty));
  const others = [...held].filter(([duty]) => accounts.length === 0 || wanted.has(duty));
  if (others.length === 0) return ok("instance", "no other hlsync follows these accounts into this database");
  const holders = [...new Set(others.map(([, worker]) => worker))];
  return note(
    "instance",
    `${others.length} accounts are followed already, by ${holders.join(", ")} (host:process)`,
    "a second `run` takes its share of the accounts, and all of them within seconds when that one stops",
  );
}

interface Opening extends Record<string, unknown> {
  role: string;
  object: string;
  may: string;
}

/** What is open beyond the chosen preset, the widest first. */
export const openings = (database: Queryable): Promise<Opening[]> =>
  database.query<Opening>(
    `select role, object, may from hl_internal.open_beyond_access()
     order by may not in ('act as', 'bypass'), object, may = 'other rows', role <> 'public', role, may`,
  );

const DOES: Record<string, string> = {
  usage: "use",
  create: "create objects in",
  "every row": "see every row of",
  "other rows": "see rows past the changed or missing policy of",
};

export const openingText = ({ role, object, may }: Opening): string =>
  `${role} may ${DOES[may] ?? may} ${object}`;

/** What belongs to a role, and not to a table, no preset can take from it. */
function closingRemedy({ role, object, may }: Opening, preset: string): string {
  if (may === "bypass") return `alter role "${role}" nosuperuser nobypassrls; then hlsync access ${preset}`;
  if (may === "act as")
    return `revoke "${object.replace(/^role /, "")}" from "${role}"; then hlsync access ${preset}`;
  return `hlsync access ${preset}`;
}

/** Whether anything of hlsync is open beyond the chosen preset; null before the first migration and where no API is. */
export async function accessFinding(database: Queryable): Promise<Finding | null> {
  const [facts] = await database.query<{ known: boolean; api: boolean }>(
    `select to_regrole('anon') is not null or to_regrole('authenticated') is not null as api,
       exists (select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
               where n.nspname = 'hl_internal' and p.proname = 'open_beyond_access') as known`,
  );
  if (!facts?.known) return null;
  const open = await openings(database);
  const [chosen] = await database.query<{ preset: string }>("select hl_internal.access() as preset");
  const preset = chosen!.preset;
  if (open.length === 0)
    return facts.api ? ok("access", `preset ${preset}: nothing is open beyond it`) : null;
  const objects = new Set(open.map(({ object }) => object)).size;
  return fail(
    "access",
    EXIT.usage,
    `${objects} object${objects === 1 ? " is" : "s are"} open beyond the preset ${preset}: ${openingText(open[0]!)}${objects > 1 ? ", …" : ""}`,
    "anyone with the project's publishable key may do that",
    closingRemedy(open[0]!, preset),
  );
}

// --- the way to the server ----------------------------------------------------------------------------------------

/** Clients take turns in this order, which reveals a pooler that shares connections by transaction. */
const TURNS = [0, 1, 1, 0, 0, 1, 0, 1] as const;

/**
 * Whether a pooler lends a connection of the server per transaction: then two clients that are both connected are
 * served by one process of the server, or one client by several.
 */
export async function poolerFinding(url: string): Promise<Finding> {
  const clients = [0, 1].map(() =>
    openPostgres(url, { maxConnections: 1, connectTimeoutMs: CONNECT_TIMEOUT_MS }),
  );
  const seen: [Set<unknown>, Set<unknown>] = [new Set(), new Set()];
  try {
    for (const turn of TURNS) {
      const [row] = await clients[turn]!.query("select pg_backend_pid() as pid");
      seen[turn].add(row?.pid);
    }
  } catch (error) {
    const message = errorText(error);
    const fix =
      "allow this role at least 6 connections (alter role … connection limit, the pooler's pool size)";
    return warn("pooler", `a second connection cannot be had: ${message}`, "hlsync uses up to 5", fix);
  } finally {
    for (const client of clients) await client.close();
  }
  const [a, b] = seen;
  const isShared = a.size > 1 || b.size > 1 || [...a].some((pid) => b.has(pid));
  if (!isShared)
    return ok("pooler", "each connection has the server to itself (direct, or a session pooler)");
  return note(
    "pooler",
    "a transaction pooler stands before the server",
    "it forgets prepared statements, LISTEN and session locks between transactions; hlsync uses none of them, other programs on this URL may",
  );
}

const isOnThisMachine = (host: string): boolean =>
  host === "" || host.startsWith("/") || /^(localhost|127\..*|\[?::1\]?)$/.test(host);
/** A name without a dot, or an address that is not routed: a container's neighbour, a machine in the same house. */
const isInTheHouse = (host: string): boolean =>
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[f[cd])/.test(host) ||
  !host.includes(".") ||
  /\.(local|internal|lan)$/.test(host);

/** Whether the connection is encrypted, judged by what `store/target.ts` makes of the URL. */
export function tlsFinding(databaseUrl: string): Finding {
  const { host, mode, isPlain, mayBePlain, rootCertificate } = tlsWishOf(databaseUrl);
  if (isOnThisMachine(host)) return ok("tls", "the database is on this machine");
  if (isPlain || mayBePlain) {
    const says = `the connection to ${host} is ${isPlain ? "not encrypted" : "encrypted only if the server offers it"}`;
    const why = `the password proof, fills and positions can be read on the way${isPlain ? "" : ", or somebody on it can say that there is no TLS"}`;
    const fix = "put sslmode=require into the database URL (…/name?sslmode=require)";
    return isInTheHouse(host) ? note("tls", says, why, fix) : warn("tls", says, why, fix);
  }
  if (mode === "verify-full" || mode === "verify-ca" || rootCertificate !== "")
    return ok("tls", `encrypted, and the certificate of ${host} is checked`);
  const where = isSupabase(host)
    ? "download the certificate (Project settings → Database → SSL)"
    : "get the server's root certificate";
  return note(
    "tls",
    `encrypted, but the certificate of ${host} is not checked`,
    "somebody on the way could pose as the database",
    `${where} and use sslmode=verify-full&sslrootcert=<file>`,
  );
}
