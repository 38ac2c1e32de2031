-- hlsync's own records. hl_internal.migrations is made by the migrator before the first migration runs.

comment on schema hl_internal is 'Machinery of hlsync: what it knows about the completeness of the public hl_* tables, and what it publishes.';
comment on table hl_internal.migrations is 'Migrations that were applied.';
comment on column hl_internal.migrations.id is 'Number of the migration.';
comment on column hl_internal.migrations.name is 'File it came from.';
comment on column hl_internal.migrations.checksum is 'SHA-256 of the file.';
comment on column hl_internal.migrations.applied_at is 'When it was applied.';

create table hl_internal.accounts (
  account_address text primary key check (account_address = lower(account_address)),
  alias text,
  since_ms bigint,
  mode text,
  created_at timestamptz not null default now()
);
comment on table hl_internal.accounts is 'Accounts that were ever followed. Its rows are also the lock that serialises the writers of one account.';
comment on column hl_internal.accounts.account_address is '0x and 40 lower-case hex digits.';
comment on column hl_internal.accounts.alias is 'Name given by the user.';
comment on column hl_internal.accounts.since_ms is 'Start of the wanted history, Unix milliseconds; null until it is known. Only ever moves earlier.';
comment on column hl_internal.accounts.mode is 'Account mode last seen: standard, unified or portfolio.';
comment on column hl_internal.accounts.created_at is 'When the account was first followed.';

create table hl_internal.coverage (
  account_address text not null,
  stream text not null,
  grade text not null check (grade in ('streamed', 'proven', 'unprovable')),
  reason text not null default '',
  covered int8multirange not null,
  primary key (account_address, stream, grade, reason)
);
comment on table hl_internal.coverage is 'Which milliseconds of each stream are known to be complete, written in the transaction that wrote the rows.';
comment on column hl_internal.coverage.account_address is 'Account.';
comment on column hl_internal.coverage.stream is 'fills, twapFills, orders, funding or ledger.';
comment on column hl_internal.coverage.grade is 'streamed: watched live, no loss known. proven: confirmed. unprovable: the venue can no longer tell.';
comment on column hl_internal.coverage.reason is 'Why, for unprovable; else empty.';
comment on column hl_internal.coverage.covered is 'Union of all intervals ever recorded, in Unix milliseconds.';

create table hl_internal.drift (
  id bigint generated always as identity primary key,
  account_address text not null,
  stream text not null,
  cause text not null,
  detail jsonb,
  digest text not null,
  found_at_ms bigint not null,
  repaired_at_ms bigint,
  unique (account_address, stream, cause, found_at_ms, digest)
);
comment on table hl_internal.drift is 'Differences found between the database and the venue, and when they were repaired.';
comment on column hl_internal.drift.id is 'Number.';
comment on column hl_internal.drift.account_address is 'Account.';
comment on column hl_internal.drift.stream is 'What differed.';
comment on column hl_internal.drift.cause is 'How it was noticed.';
comment on column hl_internal.drift.detail is 'What exactly differed.';
comment on column hl_internal.drift.digest is 'Digest of the detail, so that a repeated report is one row.';
comment on column hl_internal.drift.found_at_ms is 'When it was found, Unix milliseconds.';
comment on column hl_internal.drift.repaired_at_ms is 'When it was repaired, Unix milliseconds; null while it stands.';

create table hl_internal.outbox (
  id bigint generated always as identity primary key,
  event_key text not null,
  type text not null,
  account_address text,
  time_ms bigint not null,
  source text not null,
  data jsonb not null,
  created_at timestamptz not null default now()
);
create index idx_outbox_created_at on hl_internal.outbox using brin (created_at);
comment on table hl_internal.outbox is 'Committed changes in the order of their commits: whoever has read id n has seen all below n.';
comment on column hl_internal.outbox.id is 'Sequence; gaps are rolled back transactions.';
comment on column hl_internal.outbox.event_key is 'Identity of the event, the same whichever source brought the row.';
comment on column hl_internal.outbox.type is 'fill.created, order.updated, position.updated, funding.created, ledger.created or drift.found.';
comment on column hl_internal.outbox.account_address is 'Account.';
comment on column hl_internal.outbox.time_ms is 'The venue''s time of the change, Unix milliseconds.';
comment on column hl_internal.outbox.source is 'How hlsync saw the change.';
comment on column hl_internal.outbox.data is 'The row in snake case, decimals as strings, without the raw object.';
comment on column hl_internal.outbox.created_at is 'When the change was committed, by the clock of the database.';

create table hl_internal.quarantine (
  digest text primary key,
  account_address text,
  subject text not null,
  reason text not null,
  raw text not null,
  count bigint not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null
);
comment on table hl_internal.quarantine is 'What the venue sent and hlsync could not understand: kept, counted, replayable.';
comment on column hl_internal.quarantine.digest is 'Digest of account, subject, reason and raw.';
comment on column hl_internal.quarantine.account_address is 'Account, where one is known.';
comment on column hl_internal.quarantine.subject is 'What it was meant to be.';
comment on column hl_internal.quarantine.reason is 'Why it was not understood.';
comment on column hl_internal.quarantine.raw is 'The text as received.';
comment on column hl_internal.quarantine.count is 'How often it was seen, as far as sightings came in order of time.';
comment on column hl_internal.quarantine.first_seen_at is 'First sighting.';
comment on column hl_internal.quarantine.last_seen_at is 'Last sighting.';

create table hl_internal.leases (
  name text primary key,
  holder text not null,
  token bigint not null,
  expires_at timestamptz not null
);
comment on table hl_internal.leases is 'Who does what only one process may do. No session state: works behind a transaction pooler.';
comment on column hl_internal.leases.name is 'The duty.';
comment on column hl_internal.leases.holder is 'The process that has it.';
comment on column hl_internal.leases.token is 'Fencing token: grows with every change of holder.';
comment on column hl_internal.leases.expires_at is 'The lease is free after this, by the clock of the database.';

create function hl_internal.take_lease(lease text, claimant text, ttl_ms integer) returns bigint
language sql set search_path = '' as $$
  insert into hl_internal.leases as l (name, holder, token, expires_at)
  values (lease, claimant, 1, clock_timestamp() + ttl_ms * interval '1 millisecond')
  on conflict (name) do update
    set holder = excluded.holder,
        token = l.token + (l.holder <> excluded.holder)::int,
        expires_at = excluded.expires_at
    where l.holder = excluded.holder or l.expires_at < clock_timestamp()
  returning token
$$;
comment on function hl_internal.take_lease is 'Takes or renews a lease; returns the fencing token, or null while another holder has it.';

-- Retention. Each deletes at most max_rows so that a call stays short, and says how many rows went.
create function hl_internal.prune_outbox(keep interval, max_rows integer default 10000) returns bigint
language sql set search_path = '' as $$
  with gone as (
    delete from hl_internal.outbox
    where id in (select id from hl_internal.outbox where created_at < now() - keep order by id limit max_rows)
    returning 1
  ) select count(*) from gone
$$;
comment on function hl_internal.prune_outbox is 'Deletes outbox events older than keep.';

create function hl_internal.prune_quarantine(keep interval, max_rows integer default 10000) returns bigint
language sql set search_path = '' as $$
  with gone as (
    delete from hl_internal.quarantine
    where digest in (select digest from hl_internal.quarantine where last_seen_at < now() - keep limit max_rows)
    returning 1
  ) select count(*) from gone
$$;
comment on function hl_internal.prune_quarantine is 'Deletes quarantined messages last seen before keep.';

create function hl_internal.partition_name(parent text, day_ms bigint) returns text
language sql immutable set search_path = '' as $$
  select parent || '_' || to_char(to_timestamp(day_ms / 1000) at time zone 'UTC', 'YYYYMMDD')
$$;
comment on function hl_internal.partition_name is 'Name of the partition of a market table for the UTC day that starts at day_ms.';

create function hl_internal.ensure_partitions(parent text, times_ms bigint[]) returns void
language plpgsql set search_path = '' as $$
declare
  day_ms bigint;
  child text;
begin
  for day_ms in select distinct t - t % 86400000 from unnest(times_ms) t order by 1 loop
    child := hl_internal.partition_name(parent, day_ms);
    continue when to_regclass('public.' || child) is not null;
    perform pg_advisory_xact_lock(hashtext('hl_internal.ensure_partitions'));
    -- Asks the catalogue itself: to_regclass may still remember that there was none.
    continue when exists (
      select from pg_catalog.pg_class where relnamespace = 'public'::regnamespace and relname = child);
    -- Made apart and then attached: that lock lets readers and writers of the parent go on.
    execute format('create table public.%I (like public.%I including all)', child, parent);
    -- Policies are the parent's, and hold for whoever asks it; nobody is to go round them by asking the partition.
    if (select relrowsecurity from pg_catalog.pg_class where oid = ('public.' || parent)::regclass) then
      execute format('alter table public.%I enable row level security', child);
    end if;
    execute format('alter table public.%I attach partition public.%I for values from (%s) to (%s)',
                   parent, child, day_ms, day_ms + 86400000);
    execute format('comment on table public.%I is %L', child, 'One UTC day of ' || parent || '.');
  end loop;
end
$$;
comment on function hl_internal.ensure_partitions is 'Makes the daily partitions of a market table that hold the given times.';

create function hl_internal.prune_market(parent text, before_ms bigint) returns integer
language plpgsql set search_path = '' as $$
declare
  child text;
  dropped integer := 0;
begin
  for child in
    select c.relname from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass('public.' || parent)
      and c.relname < hl_internal.partition_name(parent, before_ms - before_ms % 86400000)
    order by 1
  loop
    execute format('drop table public.%I', child);
    dropped := dropped + 1;
  end loop;
  return dropped;
end
$$;
comment on function hl_internal.prune_market is 'Drops the daily partitions of a market table that end before the UTC day of before_ms.';
