/** What a Supabase project has before hlsync comes: its roles, its users, and the claims of a request. */
import type { Database } from "../../src/store/database.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { startServer, type TestServer } from "./postgres.ts";

export const MEMBER = "11111111-1111-4111-8111-111111111111";
export const STRANGER = "22222222-2222-4222-8222-222222222222";

/**
 * What new objects of the owner are granted by default: `old` as in projects made before 2026, `new` as in those after,
 * `careless` with everything that could be.
 */
export type DefaultPrivileges = "old" | "new" | "careless";

const ROLES = "anon, authenticated, service_role";
const DEFAULTS: Record<DefaultPrivileges, string> = {
  old: ["tables", "functions", "sequences"]
    .map((kind) => `alter default privileges in schema public grant all on ${kind} to ${ROLES};`)
    .join("\n"),
  new: "",
  careless: ["tables", "functions", "sequences", "schemas"]
    .map((kind) => `alter default privileges grant all on ${kind} to public, ${ROLES};`)
    .join("\n"),
};

/** Roles belong to the server: take one that no test of another kind uses. */
export async function makeSupabaseRoles(admin: Database): Promise<void> {
  const wanted = { anon: "", authenticated: "", service_role: "bypassrls" };
  for (const [role, more] of Object.entries(wanted))
    await admin.query(
      // Another test file may make them at the same moment.
      `do $$ begin create role ${role} nologin noinherit ${more}; exception when duplicate_object or unique_violation then null; end $$`,
    );
}

/** A server with the roles of a Supabase project. */
export async function startProjectServer(): Promise<TestServer> {
  const server = await startServer("project");
  await makeSupabaseRoles(server.admin);
  return server;
}

/** Why no preset can open anything on the server of `HLSYNC_TEST_PROJECT`; false where it can. */
export const noPresets: string | false = await (async () => {
  const url = process.env.HLSYNC_TEST_PROJECT;
  if (url === undefined) return false;
  const database = openPostgres(url, { maxConnections: 1 });
  const [row] = await database.query("select current_setting('server_version_num')::int < 150000 as old");
  await database.close();
  return row?.old === true && "views keep to row level security since PostgreSQL 15";
})();

/** Makes an empty database into a project; `auth.uid()` and `auth.jwt()` are made as Supabase makes them. */
export async function makeProject(database: Database, defaults: DefaultPrivileges): Promise<void> {
  await database.query(`
    create schema auth;
    create table auth.users (id uuid primary key, email text);
    insert into auth.users values ('${MEMBER}', 'member@example.com'), ('${STRANGER}', 'other@example.com');
    create function auth.jwt() returns jsonb language sql stable
      as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
    create function auth.uid() returns uuid language sql stable as $$ select (auth.jwt() ->> 'sub')::uuid $$;
    grant usage on schema auth, public to ${ROLES};
    ${DEFAULTS[defaults]}`);
}
