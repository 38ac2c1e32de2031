-- The fleet: which of the processes that share the database follows which account. The worker is leased, not the account: one
-- row a second per process. Time is the database's alone. All changes are made under one lock, so that counts are exact.

create or replace function hl_internal.lock_fleet() returns void
language sql set search_path = '' as $$ select pg_catalog.pg_advisory_xact_lock(7431051, 1) $$;
comment on function hl_internal.lock_fleet is 'Until the end of the transaction nobody else changes who does what.';

create or replace function hl_internal.wanted_duties(own text[]) returns table (duty text, is_shared boolean)
language sql stable set search_path = ''
begin atomic
  select 'follow ' || r.account_address, true from hl_internal.roster r where not r.paused
  union all
  select distinct o.duty, false from unnest(own) as o(duty)
  where not exists (select from hl_internal.roster r where not r.paused and 'follow ' || r.account_address = o.duty);
end;
comment on function hl_internal.wanted_duties is 'The roster''s accounts, which every worker takes, and those that one was started with.';

create or replace function hl_internal.worker_shares(present text[])
returns table (worker text, wants text[], duties bigint)
language sql stable set search_path = ''
begin atomic
  select w.worker, w.wants, count(c.duty)
  from hl_internal.workers w
  left join hl_internal.claims c
    on case when c.heir = any (present) then c.heir else c.worker end = w.worker
  where w.worker = any (present)
  group by w.worker;
end;
comment on function hl_internal.worker_shares is 'How many duties each of these workers has, what is on its way to it included.';

-- Free is what nobody present has, or what is given to us. We take so many that nobody who would take them too has less.
create or replace function hl_internal.take_duties(me text, own text[], present text[], most integer) returns void
language sql set search_path = '' as $$
  with shares as materialized (select * from hl_internal.worker_shares(present)),
  free as (
    select d.duty, d.is_shared, coalesce(c.heir = me, false) as is_given
    from hl_internal.wanted_duties(own) d
    left join hl_internal.claims c on c.duty = d.duty
    where c.duty is null or (
      (c.worker is null or c.worker <> all (present))
      and (c.heir is null or c.heir = me or c.heir <> all (present)))
  ),
  ranked as (
    select f.duty, f.is_given, n.workers, n.duties, count(*) over () as free,
      row_number() over (order by f.is_given desc, n.workers, f.duty) as rank
    from free f
    cross join lateral (
      select count(*) as workers, sum(s.duties) as duties from shares s where f.is_shared or f.duty = any (s.wants)
    ) n
  )
  insert into hl_internal.claims as c (duty, worker, token, since)
  select r.duty, me, 1, clock_timestamp()
  from ranked r cross join (select s.duties from shares s where s.worker = me) mine
  where r.is_given or (r.rank <= most and mine.duties + r.rank - 1 < ceil((r.duties + r.free) / r.workers))
  on conflict (duty) do update
    set worker = excluded.worker, token = c.token + 1, heir = null, since = excluded.since
$$;
comment on function hl_internal.take_duties is 'Claims a worker''s fair part of what is free.';

create or replace function hl_internal.hand_over(me text, present text[], most integer) returns void
language plpgsql set search_path = '' as $$
declare
  given text;
  heir_of_it text;
begin
  for i in 1 .. most loop
    select c.duty, s.worker into given, heir_of_it
    from hl_internal.worker_shares(present) s
    join hl_internal.worker_shares(present) mine on mine.worker = me and s.duties + 2 <= mine.duties
    join hl_internal.claims c on c.worker = me and c.heir is null
    where c.duty = any (s.wants)
      or exists (select from hl_internal.roster r where not r.paused and 'follow ' || r.account_address = c.duty)
    order by s.duties, s.worker, c.since desc, c.duty
    limit 1;
    exit when given is null;
    update hl_internal.claims c set heir = heir_of_it where c.duty = given;
  end loop;
end
$$;
comment on function hl_internal.hand_over is 'Names heirs for what a worker has more than another that would take it too.';

-- What the workers of one egress may do together. A part that somebody still uses is nobody else's, and what was spent counts
-- for a minute, also of a worker that is gone.
create or replace function hl_internal.egress_share(
  me text, present text[], slots_max integer, weight_max integer, dials_max integer, last_words integer,
  subscriptions_max integer
) returns table (slots integer, weight integer, dials integer, subscriptions integer, workers integer)
language sql stable set search_path = ''
begin atomic
  with here as (
    select w.*, w.worker = any (present) as is_present, s.duties,
      row_number() over (partition by w.worker = any (present) order by w.worker) as rank
    from hl_internal.workers w
    join hl_internal.workers self on self.worker = me and self.egress = w.egress
    left join hl_internal.worker_shares(present) s on s.worker = w.worker
  ),
  sums as (
    select count(*) filter (where h.is_present) as workers, sum(h.duties + 1) as parts,
      sum(greatest(h.slots, h.streams)) filter (where h.is_present and h.worker <> me) as slots,
      sum(least(h.duties, slots_max)) filter (where h.is_present and h.worker <> me) as needs,
      sum(case when h.is_present then greatest(h.weight, h.spent)
        when h.renewed_at > clock_timestamp() - interval '61 seconds' then least(h.weight, h.spent + last_words)
        else 0 end) filter (where h.worker <> me) as weight,
      sum(case when h.is_present then greatest(h.dials, h.dialled)
        when h.renewed_at > clock_timestamp() - interval '61 seconds' then h.dialled
        else 0 end) filter (where h.worker <> me) as dials,
      sum(greatest(h.subscriptions, h.subscribed)) filter (where h.is_present and h.worker <> me) as subscriptions
    from here h
  )
  select
    greatest(0, least(
      h.duties, slots_max - coalesce(s.slots, 0),
      greatest(slots_max / s.workers + (h.rank <= slots_max % s.workers)::int, slots_max - coalesce(s.needs, 0))))::integer,
    greatest(0, least(weight_max * (h.duties + 1) / s.parts, weight_max - coalesce(s.weight, 0)))::integer,
    greatest(0, least(dials_max / s.workers, dials_max - coalesce(s.dials, 0)))::integer,
    greatest(0, least(subscriptions_max / s.workers, subscriptions_max - coalesce(s.subscriptions, 0)))::integer,
    s.workers::integer
  from here h cross join sums s where h.worker = me;
end;
comment on function hl_internal.egress_share is 'Connections, REST weight, new connections a minute and subscriptions that a worker may use now, and how many workers share its egress.';

create or replace function hl_internal.attend(me text, told json) returns json
language plpgsql set search_path = '' as $$
declare
  own constant text[] := array(select json_array_elements_text(told->'wants'));
  ttl constant interval := (told->>'ttlMs')::integer * interval '1 millisecond';
  back constant interval := (told->>'backMs')::integer * interval '1 millisecond';
  now_at timestamptz;
  before hl_internal.workers;
  steady timestamptz;
  present text[];
  share record;
begin
  perform hl_internal.lock_fleet();
  now_at := clock_timestamp();
  select * into before from hl_internal.workers w where w.worker = me;
  steady := case when before.renewed_at > now_at - ttl / 2 then before.steady_at else now_at end;
  -- What an older program leaves out counts as none.
  if before.worker is null then
    delete from hl_internal.workers w where w.renewed_at < now_at - interval '1 hour';
    insert into hl_internal.workers values (
      me, told->>'egress', own, now_at, steady, (told->>'streams')::integer, 0, 0, (told->>'spent')::integer, now_at, now_at + ttl,
      0, coalesce((told->>'dialled')::integer, 0), 0, coalesce((told->>'subscribed')::integer, 0));
  else
    update hl_internal.workers w set
      egress = told->>'egress', wants = case when w.wants = own then w.wants else own end, steady_at = steady,
      streams = (told->>'streams')::integer, spent = (told->>'spent')::integer, dialled = coalesce((told->>'dialled')::integer, 0),
      subscribed = coalesce((told->>'subscribed')::integer, 0), renewed_at = now_at, expires_at = now_at + ttl
    where w.worker = me;
  end if;
  -- After an outage all are late: who is steady again waits for the others. One silent for long is gone for everybody.
  present := array(
    select w.worker from hl_internal.workers w
    where w.expires_at >= case when now_at - steady >= back then now_at else now_at - ttl end);
  perform hl_internal.take_duties(me, own, present, (told->>'most')::integer);
  perform hl_internal.hand_over(me, present, (told->>'most')::integer);
  select * into share from hl_internal.egress_share(
    me, present, (told->>'slots')::integer, (told->>'weight')::integer, coalesce((told->>'dials')::integer, 0), (told->>'lastWords')::integer,
    coalesce((told->>'subscriptions')::integer, 0));
  update hl_internal.workers w
  set slots = share.slots, weight = share.weight, dials = share.dials, subscriptions = share.subscriptions
  where w.worker = me and (w.slots, w.weight, w.dials, w.subscriptions)
    is distinct from (share.slots, share.weight, share.dials, share.subscriptions);
  return json_build_object(
    'held', (select coalesce(json_agg(json_build_object('duty', c.duty, 'token', c.token, 'isGiven', c.heir is not null)
        order by c.duty), '[]') from hl_internal.claims c where c.worker = me),
    'others', (select coalesce(json_object_agg(c.duty, c.worker), '{}') from hl_internal.claims c
      where c.duty = any (own) and c.worker <> me),
    'share', row_to_json(share),
    'present', cardinality(present),
    'beforeMs', floor(extract(epoch from before.expires_at) * 1000),
    'writtenMs', floor(extract(epoch from now_at + ttl) * 1000));
end
$$;
comment on function hl_internal.attend is 'A worker''s second: it renews its row, claims its part of what is free, names heirs for what it has too much of, and hears what it has and what its egress may use.';

create or replace function hl_internal.give_back(me text, duties text[]) returns void
language sql set search_path = '' as $$
  select hl_internal.lock_fleet();
  update hl_internal.claims c set worker = null where c.worker = me and c.duty = any (duties)
$$;
comment on function hl_internal.give_back is 'Frees what a worker has left, for the heir where one is named.';

create or replace function hl_internal.dismiss(me text) returns void
language sql set search_path = '' as $$
  select hl_internal.lock_fleet();
  update hl_internal.claims c set worker = nullif(c.worker, me), heir = nullif(c.heir, me) where me in (c.worker, c.heir);
  -- What it spent counts on.
  update hl_internal.workers w set expires_at = '-infinity', streams = 0, slots = 0, weight = w.spent, dials = w.dialled, subscriptions = 0, subscribed = 0 where w.worker = me
$$;
comment on function hl_internal.dismiss is 'A worker ends: all it had is free.';
