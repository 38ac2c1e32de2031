-- Who may read what through Supabase's API. Run it once after `hlsync migrate` (SQL editor, or psql -f), then choose:
--
--   select hl_internal.set_access('single-user');  -- every signed-in user of the project reads everything
--   select hl_internal.set_access('members');      -- a user reads the accounts that public.hl_members gives him
--   select hl_internal.set_access('off');          -- nobody but the service role and the owner of the tables
--
-- In every preset: row level security on every table of hlsync, nothing for `anon`, nothing but `select` for
-- `authenticated`, everything for `service_role`; anonymous sign-ins read nothing. hlsync itself connects as the owner of the tables, whom policies do not
-- bind. Choose again after an upgrade that brings new tables; `hlsync doctor` says when that is due.

create or replace function hl_internal.set_access(preset text) returns text
language plpgsql set search_path = '' set lock_timeout = '20s' as $$
declare
  rel record;
  condition text;
begin
  if preset not in ('single-user', 'members', 'off') then
    raise exception 'set_access(%): expected single-user, members or off', preset;
  end if;
  if to_regrole('anon') is null or to_regrole('authenticated') is null or to_regrole('service_role') is null
     or to_regprocedure('auth.uid()') is null then
    raise exception 'this database has no roles anon, authenticated and service_role with auth.uid(): it is not a Supabase project';
  end if;
  if current_setting('server_version_num')::int < 150000 then
    raise exception 'views cannot keep to row level security before PostgreSQL 15: upgrade the project';
  end if;

  create table if not exists public.hl_members (
    user_id uuid not null references auth.users (id) on delete cascade,
    account_address text not null check (account_address = lower(account_address)),
    primary key (user_id, account_address)
  );
  comment on table public.hl_members is 'Which signed-in user may read which account, for set_access(''members'').';
  comment on column public.hl_members.user_id is 'User, as in auth.users.';
  comment on column public.hl_members.account_address is 'Account: 0x and 40 lower-case hex digits.';

  revoke all on schema hl_internal from public, anon, authenticated;
  grant usage on schema hl_internal to service_role;
  grant execute on all functions in schema hl_internal to service_role;

  -- hl_internal first, and there the accounts: in the order in which writers lock.
  for rel in
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relname = 'hl_members' as is_members,
      c.relkind in ('r', 'p') as is_table, n.nspname = 'public' as is_public, c.relispartition as is_part,
      exists (select from pg_catalog.pg_attribute a
              where a.attrelid = c.oid and a.attname = 'account_address' and not a.attisdropped) as has_account,
      -- What views of public read: their reader needs the right to it, but no way to ask it directly.
      exists (select from pg_catalog.pg_depend d
              join pg_catalog.pg_rewrite r on r.oid = d.objid
              join pg_catalog.pg_class v on v.oid = r.ev_class
              where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
                and d.refobjid = c.oid and v.relnamespace = 'public'::regnamespace and v.relname like 'hl\_%') as is_viewed
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v')
      and (n.nspname = 'hl_internal' or (n.nspname = 'public' and c.relname like 'hl\_%'))
    order by n.nspname, c.relname
  loop
    execute format('revoke all on %s from public, anon, authenticated', rel.name);
    execute format('grant all on %s to service_role', rel.name);
    if rel.is_table then
      execute format('alter table %s enable row level security', rel.name);
      execute format('drop policy if exists hlsync_read on %s', rel.name);
    end if;
    continue when preset = 'off' or rel.is_part or not (rel.is_public or rel.is_viewed);
    execute format('grant select on %s to authenticated', rel.name);
    continue when not rel.is_table;
    condition := case
      when rel.is_members then 'user_id = (select auth.uid())'
      -- An anonymous sign-in has the role authenticated too.
      when preset = 'single-user' then
        '(select coalesce((auth.jwt() ->> ''is_anonymous'')::boolean, false)) is false'
      when rel.has_account then
        'account_address in (select m.account_address from public.hl_members m where m.user_id = (select auth.uid()))'
      else 'exists (select from public.hl_members m where m.user_id = (select auth.uid()))'
    end;
    execute format('create policy hlsync_read on %s for select to authenticated using (%s)', rel.name, condition);
  end loop;

  for rel in
    select p.oid::regprocedure as name from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname like 'hl\_%'
  loop
    execute format('revoke all on function %s from public, anon', rel.name);
    execute format('grant execute on function %s to service_role', rel.name);
    execute format(case when preset = 'off' then 'revoke all on function %s from authenticated'
                        else 'grant execute on function %s to authenticated' end, rel.name);
  end loop;
  return preset;
end
$$;
comment on function hl_internal.set_access is 'Sets rights and row level security of all tables of hlsync: single-user, members or off.';
revoke all on function hl_internal.set_access from public;
