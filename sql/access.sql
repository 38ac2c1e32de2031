-- Who may do what with the objects of hlsync. They are closed: nothing is granted to `public` or to the roles of an API
-- (PostgREST's and Supabase's `anon` and `authenticated`), whatever the default privileges say, and row level security is on
-- for every table. The chosen preset opens them for reading, and no further:
--
--   off          only the owner and the service role (what holds until something is chosen)
--   single-user  every signed-in user of the project reads everything; anonymous sign-ins read nothing
--   members      a user reads the accounts that public.hl_members gives him, and the market data
--
-- Three policies for each table. `hlsync_read` is restrictive: what it says of signed-in users holds whatever else is permitted, and
-- stands alone in their plans; beside another permissive policy it would be an arm of an `or`, and no index on accounts of use.
-- `hlsync_anon` keeps `anon` out in the same way. It is a policy of its own, since its condition calls nothing: the planner asks
-- `hlsync_read` for accounts before anybody looks whether the reader may.
-- `hlsync_others` is the permissive one that every row needs. It gives users nothing where `hlsync_read` is missing, and `anon` nothing at all.
--
-- The preset is stored, and sql/closing.sql applies it in the transaction of every migration. hlsync itself is the owner of the
-- tables, whom policies do not bind. Other roles keep the rights that somebody gave them: policies hold back only who has the
-- rights of `anon` or `authenticated`.

create or replace function hl_internal.access() returns text
language sql stable set search_path = ''
begin atomic
  select coalesce((select s.value from hl_internal.settings s where s.name = 'access'), 'off');
end;
comment on function hl_internal.access is 'The chosen preset: single-user, members or off.';

-- The catalogue is asked, not `to_regprocedure`: that one fails where the role may not use schema auth.
create or replace function hl_internal.has_users() returns boolean
language sql stable set search_path = ''
begin atomic
  select to_regrole('anon') is not null and to_regrole('authenticated') is not null and (
    select count(*) = 2 from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'auth' and p.proname in ('uid', 'jwt') and p.pronargs = 0);
end;
comment on function hl_internal.has_users is 'Whether the database knows signed-in users, as a Supabase project does.';

-- A policy names it twice. As `(select …)` it is asked once for a statement; that is what holds. Bare, it is what the planner asks
-- beforehand, so that it knows how many rows there are to expect, and what an index on accounts is searched by. Its price makes the planner
-- avoid to call it for each row.
create or replace function hl_internal.reader_accounts() returns text[]
language plpgsql stable cost 1000 set search_path = '' as $$
begin
  return array(select m.account_address from public.hl_members m where m.user_id = auth.uid());
end
$$;
comment on function hl_internal.reader_accounts is 'The accounts that public.hl_members gives the user who asks.';

-- Ours are: all of hl_internal, what hl_internal.objects names, and the partitions of those.
create or replace function hl_internal.wanted_access()
returns table (
  oid oid, name text, is_function boolean, is_table boolean, is_part boolean, is_shown boolean, may_read boolean, condition text)
language sql stable set search_path = '' as $$
with recursive mode as (
  -- Before 15 a view cannot keep to row level security.
  select case when hl_internal.has_users() and current_setting('server_version_num')::int >= 150000
    then hl_internal.access() else 'off' end as preset
),
named as (
  select c.oid, c.relkind, c.relname, c.relnamespace = 'public'::regnamespace as is_public, false as is_part
  from pg_catalog.pg_class c
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and (c.relnamespace = 'hl_internal'::regnamespace
    or (c.relnamespace = 'public'::regnamespace
      and c.relname in (select o.name from hl_internal.objects o where o.kind = 'relation')))
),
relations as (
  select * from named
  union all
  select c.oid, c.relkind, c.relname, n.is_public, true from named n
  join pg_catalog.pg_inherits i on i.inhparent = n.oid join pg_catalog.pg_class c on c.oid = i.inhrelid
),
functions as (
  select p.oid, p.proname, p.pronamespace = 'public'::regnamespace as is_public from pg_catalog.pg_proc p
  where p.pronamespace = 'hl_internal'::regnamespace
    or exists (select from hl_internal.objects o where p.oid = case o.kind when 'function' then to_regprocedure(o.name) end)
),
-- What the views and functions of public, and policies, rest on: their reader needs the right to it, but has no way to ask it directly.
used as (
  select 'pg_catalog.pg_rewrite'::regclass as class, w.oid
  from relations v join pg_catalog.pg_rewrite w on w.ev_class = v.oid where v.is_public and v.relkind = 'v'
  union
  select 'pg_catalog.pg_proc'::regclass, f.oid from functions f where f.is_public
  union
  select 'pg_catalog.pg_proc'::regclass, 'hl_internal.reader_accounts()'::regprocedure::oid
  union
  select x.class, x.oid from used u
  join pg_catalog.pg_depend d on d.classid = u.class and d.objid = u.oid
  cross join lateral (
    select d.refclassid::regclass as class, d.refobjid as oid
    union all
    select 'pg_catalog.pg_rewrite'::regclass, w.oid from pg_catalog.pg_rewrite w
    where d.refclassid = 'pg_catalog.pg_class'::regclass and w.ev_class = d.refobjid
  ) x
  where d.refclassid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass) and d.deptype = 'n'
),
all_objects as (
  select r.oid, r.oid::regclass::text as name, r.relname, r.is_part, false as is_function, r.relkind in ('r', 'p') as is_table,
    r.relkind in ('r', 'p', 'v', 'm', 'f') and not r.is_part and (r.is_public
      or exists (select from used u where u.class = 'pg_catalog.pg_class'::regclass and u.oid = r.oid)) as is_shown,
    exists (select from pg_catalog.pg_attribute a
            where a.attrelid = r.oid and a.attname = 'account_address' and not a.attisdropped) as has_account
  from relations r
  union all
  select f.oid, f.oid::regprocedure::text, f.proname, false, true, false, f.is_public
    or exists (select from used u where u.class = 'pg_catalog.pg_proc'::regclass and u.oid = f.oid), false
  from functions f
)
select a.oid, a.name, a.is_function, a.is_table, a.is_part, a.is_shown, a.is_shown and m.preset <> 'off',
  case
    when not a.is_table or a.is_part or not a.is_shown or m.preset = 'off' then null
    when a.relname = 'hl_members' then 'user_id = (select auth.uid())'
    -- An anonymous sign-in is a user too, and has the role authenticated.
    when m.preset = 'single-user' then
      '(select auth.uid()) is not null and not coalesce(((select auth.jwt()) ->> ''is_anonymous'')::boolean, false)'
    when a.has_account then
      'array_position((select hl_internal.reader_accounts()), account_address) is not null '
      'and account_address = any (hl_internal.reader_accounts())'
    else 'exists (select from public.hl_members m where m.user_id = (select auth.uid()))'
  end
from all_objects a cross join mode m
$$;
comment on function hl_internal.wanted_access is 'Every object of hlsync, whether it is part of what readers see, whether signed-in users may read it now, and on which condition its rows.';

create or replace function hl_internal.close_object(object text, is_function boolean, is_table boolean) returns void
language plpgsql set search_path = '' as $$
declare
  kind constant text := case when is_function then 'function' else 'table' end;
  others text;
begin
  select string_agg(w.name, ', ') into others
  from (select 'public' as name union all select r.rolname from pg_catalog.pg_roles r where r.rolname in ('anon', 'authenticated')) w;
  execute format('revoke all on %s %s from %s cascade', kind, object, others);
  if to_regrole('service_role') is not null then
    execute format('grant all on %s %s to service_role', kind, object);
  end if;
  if is_table and not (select c.relrowsecurity from pg_catalog.pg_class c where c.oid = object::regclass) then
    execute format('alter table %s enable row level security', object);
  end if;
end
$$;
comment on function hl_internal.close_object is 'Takes every right to an object from the public and from the roles of an API, and turns row level security on.';

-- What the server made of a policy, with the version that words it so: somebody may have altered it since.
create or replace function hl_internal.policy_seal(object oid, policy text) returns text
language sql stable set search_path = ''
begin atomic
  select current_setting('server_version_num')::int / 10000 || ' ' || md5(concat_ws('|', p.polcmd, p.polpermissive,
    array(select pg_get_userbyid(r.id) from unnest(p.polroles) as r(id) order by 1)::text,
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)))
  from pg_catalog.pg_policy p where p.polrelid = policy_seal.object and p.polname = policy_seal.policy;
end;
comment on function hl_internal.policy_seal is 'What the server made of a policy, to be compared with what it makes of it later.';

-- A policy is made anew only when it changes, since that locks its table; its comment is what it was made of, and its seal.
create or replace function hl_internal.set_policy(object text, policy text, definition text) returns void
language plpgsql set search_path = '' as $$
declare
  present text;
begin
  select coalesce(obj_description(p.oid, 'pg_policy'), '') into present from pg_catalog.pg_policy p
  where p.polrelid = object::regclass and p.polname = policy;
  if present = definition || E'\n' || hl_internal.policy_seal(object::regclass, policy) then
    return;
  end if;
  if present is not null then
    execute format('drop policy %I on %s', policy, object);
  end if;
  execute format('create policy %I on %s %s', policy, object, definition);
  execute format('comment on policy %I on %s is %L', policy, object,
                 definition || E'\n' || hl_internal.policy_seal(object::regclass, policy));
end
$$;
comment on function hl_internal.set_policy(text, text, text) is 'Gives a table the policy of this name with this definition.';

-- A view runs with its owner's rights and would go round row level security; since PostgreSQL 15 an option prevents that.
-- Making a view again forgets it.
create or replace function hl_internal.runs_as_owner(oid, is_function boolean) returns boolean
language sql stable set search_path = ''
begin atomic
  select case when is_function then (select p.prosecdef from pg_catalog.pg_proc p where p.oid = $1)
    when current_setting('server_version_num')::int >= 150000 then (
      select c.relkind = 'v' and not coalesce(c.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1}', false)
      from pg_catalog.pg_class c where c.oid = $1)
    else false end;
end;
comment on function hl_internal.runs_as_owner is 'Whether a view or a function does more than its reader may.';

create or replace function hl_internal.wanted_policies() returns table (oid oid, object text, role text, policy text, definition text)
language sql stable set search_path = '' as $$
select w.oid, w.name, r.role, p.policy, p.definition
from hl_internal.wanted_access() w
cross join lateral (values
  ('authenticated', 'hlsync_read', format('as restrictive to authenticated using (%s)', coalesce(w.condition, 'false'))),
  ('anon', 'hlsync_anon', 'as restrictive to anon using (false)'),
  ('public', 'hlsync_others', format('to public using ((select case when coalesce(pg_has_role(to_regrole(''authenticated''), ''usage''), false)'
    || ' then exists (select from pg_catalog.pg_policy p where p.polrelid = %L::regclass and p.polname = ''hlsync_read'' and not p.polpermissive)'
    || ' else not coalesce(pg_has_role(to_regrole(''anon''), ''usage''), false) end))', w.name))
) as p(role, policy, definition)
join (select 'public' as role union all select r.rolname::text from pg_catalog.pg_roles r) r on r.role = p.role
where w.is_table and not w.is_part
$$;
comment on function hl_internal.wanted_policies is 'The policies of every table, and for whom each is.';

create or replace function hl_internal.apply_access() returns void
language plpgsql set search_path = '' set lock_timeout = '20s' as $$
declare
  object record;
  wanted record;
begin
  execute 'revoke all on schema hl_internal from public cascade';
  if to_regrole('anon') is not null then
    execute 'revoke all on schema hl_internal from anon cascade';
  end if;
  if to_regrole('authenticated') is not null then
    execute 'revoke all on schema hl_internal from authenticated cascade';
  end if;
  if to_regrole('service_role') is not null then
    execute 'grant usage on schema hl_internal to service_role';
  end if;
  -- hl_internal first, and there the accounts: in the order in which writers lock.
  for object in select * from hl_internal.wanted_access() w order by w.is_function, w.name loop
    perform hl_internal.close_object(object.name, object.is_function, object.is_table);
    if object.may_read then
      execute format('grant %s %s to authenticated',
                     case when object.is_function then 'execute on function' else 'select on table' end, object.name);
    end if;
    if hl_internal.runs_as_owner(object.oid, object.is_function) then
      execute format(case when object.is_function then 'alter routine %s security invoker'
                     else 'alter view %s set (security_invoker = true)' end, object.name);
    end if;
  end loop;
  for wanted in select * from hl_internal.wanted_policies() p order by p.object, p.policy desc loop
    perform hl_internal.set_policy(wanted.object, wanted.policy, wanted.definition);
  end loop;
end
$$;
comment on function hl_internal.apply_access is 'Makes the rights and policies of all objects of hlsync those of the stored preset.';

create or replace function hl_internal.set_access(preset text) returns text
language plpgsql set search_path = '' as $$
begin
  if preset is null or preset not in ('single-user', 'members', 'off') then
    raise exception 'set_access(%): expected single-user, members or off', preset using errcode = '22023';
  end if;
  if preset <> 'off' and not hl_internal.has_users() then
    raise exception 'this database has no roles anon and authenticated with auth.uid() and auth.jwt(): it is not a Supabase project, and nothing but off makes sense'
      using errcode = '55000';
  end if;
  if preset <> 'off' and not has_schema_privilege('auth', 'usage') then
    raise exception 'the policies call auth.uid(), which % may not: grant usage on schema auth to "%"', current_user, current_user
      using errcode = '42501';
  end if;
  if preset <> 'off' and current_setting('server_version_num')::int < 150000 then
    raise exception 'views cannot keep to row level security before PostgreSQL 15: upgrade the project' using errcode = '55000';
  end if;
  insert into hl_internal.settings as s (name, value) values ('access', preset)
  on conflict (name) do update set value = excluded.value;
  -- Who is deleted is no member any more; where this role may refer to the users.
  if exists (
    select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'auth' and c.relname = 'users' and has_schema_privilege(n.oid, 'usage')
      and has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'references')
  ) and not exists (
    select from pg_catalog.pg_constraint k where k.conrelid = 'public.hl_members'::regclass and k.contype = 'f'
  ) then
    delete from public.hl_members m where not exists (select from auth.users u where u.id = m.user_id);
    alter table public.hl_members add foreign key (user_id) references auth.users (id) on delete cascade;
  end if;
  perform hl_internal.apply_access();
  return preset;
end
$$;
comment on function hl_internal.set_access is 'Chooses who may read through an API: single-user, members or off.';

create or replace function hl_internal.open_beyond_access() returns table (role text, object text, may text)
language sql stable set search_path = '' as $$
with roles as (
  select 'public' as role, null::oid as id, false as is_exempt union all
  select r.rolname::text, r.oid, r.rolbypassrls or r.rolsuper from pg_catalog.pg_roles r where r.rolname in ('anon', 'authenticated')
),
wanted as materialized (
  select w.*, c.relkind, c.relrowsecurity, coalesce(c.relowner, p.proowner) as owner from hl_internal.wanted_access() w
  left join pg_catalog.pg_class c on c.oid = w.oid and not w.is_function
  left join pg_catalog.pg_proc p on p.oid = w.oid and w.is_function
),
rights as (
  select r.role, w.name, case when w.relkind = 'S' then has_sequence_privilege(r.role, w.oid, p.may)
    when p.may <> 'usage' then has_table_privilege(r.role, w.oid, p.may)
      or p.may in ('select', 'insert', 'update', 'references') and has_any_column_privilege(r.role, w.oid, p.may) end as has, p.may, w.may_read
  from roles r cross join wanted w
  cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger', 'usage']
    -- A right that came with 17.
    || case when current_setting('server_version_num')::int >= 170000 then array['maintain'] else '{}' end) as p(may)
  where not w.is_function and (w.relkind <> 'S' or p.may in ('usage', 'select', 'update'))
  union all
  select r.role, w.name, has_function_privilege(r.role, w.oid, 'execute'), 'execute', w.may_read
  from roles r cross join wanted w where w.is_function
)
select r.role, 'schema hl_internal', p.may from roles r cross join unnest(array['usage', 'create']) as p(may)
where has_schema_privilege(r.role, 'hl_internal', p.may)
union all
select r.role, r.name, r.may from rights r
where r.has and not (r.may_read and r.role = 'authenticated' and r.may in ('select', 'execute'))
union all
select 'authenticated', w.name, 'every row' from wanted w
where w.is_table and not w.relrowsecurity or w.may_read and hl_internal.runs_as_owner(w.oid, w.is_function)
union all
-- Not of another version of the server, which may word the same policy in another way.
select p.role, p.object, 'other rows' from hl_internal.wanted_policies() p
left join pg_catalog.pg_policy present on present.polrelid = p.oid and present.polname = p.policy
cross join lateral (select obj_description(present.oid, 'pg_policy') as made, hl_internal.policy_seal(p.oid, p.policy) as seal) s
where p.role <> 'public' and has_any_column_privilege(p.role, p.oid, 'select') and (s.made is null or split_part(s.made, E'\n', 1) <> p.definition
  or split_part(split_part(s.made, E'\n', 2), ' ', 1) = split_part(s.seal, ' ', 1) and split_part(s.made, E'\n', 2) <> s.seal)
union all
select r.role, 'row level security', 'bypass' from roles r where r.is_exempt
union all
select distinct r.role, 'role ' || pg_get_userbyid(m.roleid), 'act as' from roles r join pg_catalog.pg_auth_members m on m.member = r.id
where pg_has_role(r.id, m.roleid, 'usage') and exists (select from wanted w where pg_has_role(m.roleid, w.owner, 'usage'))
$$;
comment on function hl_internal.open_beyond_access is 'What others than the owner may do with objects of hlsync although the stored preset does not give it; empty when all is well.';
