-- hlsync's own records. The migrator makes hl_internal.migrations, .definitions and .objects before the first migration runs.

comment on schema hl_internal is 'Machinery of hlsync: what it knows about the completeness of the public hl_* tables, and what it publishes.';
comment on table hl_internal.migrations is 'Migrations that were applied.';
comment on column hl_internal.migrations.id is 'Number of the migration.';
comment on column hl_internal.migrations.name is 'File it came from.';
comment on column hl_internal.migrations.checksum is 'SHA-256 of the file.';
comment on column hl_internal.migrations.breaking is 'Whether programs that do not know it must stop.';
comment on column hl_internal.migrations.applied_at is 'When it was applied.';
comment on table hl_internal.definitions is 'The functions, views and triggers that were applied last; one row.';
comment on column hl_internal.definitions.checksum is 'SHA-256 of all files of sql/ in their order.';
comment on column hl_internal.definitions.version is 'Version of hlsync they came with; an older one leaves them alone.';
comment on column hl_internal.definitions.applied_at is 'When they were applied.';
comment on table hl_internal.objects is 'What hlsync made in schema public; every other object there is the user''s, whatever its name.';
comment on column hl_internal.objects.kind is 'relation or function.';
comment on column hl_internal.objects.name is 'Name, of a function with the types of its arguments.';

create table hl_internal.accounts (
  account_address text primary key check (account_address = lower(account_address)),
  alias text,
  since_ms bigint,
  poll_ms bigint,
  mode text,
  created_at timestamptz not null default now()
);
comment on table hl_internal.accounts is 'Accounts that were ever followed. Its rows are also the lock that serialises the writers of one account.';
comment on column hl_internal.accounts.account_address is '0x and 40 lower-case hex digits.';
comment on column hl_internal.accounts.alias is 'Name given by the user.';
comment on column hl_internal.accounts.since_ms is 'Start of the wanted history, Unix milliseconds; null until it is known. Only ever moves earlier.';
comment on column hl_internal.accounts.poll_ms is 'How often the account is read over REST, milliseconds; null while it is streamed, or read once.';
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

create table hl_internal.states (
  account_address text not null,
  kind text not null check (kind in ('perp', 'spot')),
  dex text not null,
  as_of_ms bigint not null,
  read_at timestamptz not null,
  primary key (account_address, kind, dex)
) with (fillfactor = 50);
comment on table hl_internal.states is 'The newest state of every perp dex and of spot that was read: how old the positions and balances are.';
comment on column hl_internal.states.account_address is 'Account.';
comment on column hl_internal.states.kind is 'perp or spot.';
comment on column hl_internal.states.dex is 'Perp dex; empty for the first one, and for spot.';
comment on column hl_internal.states.as_of_ms is 'The venue''s time of the state, Unix milliseconds; of spot, which has none, the time of receipt.';
comment on column hl_internal.states.read_at is 'When it was received.';

create table hl_internal.absences (
  account_address text not null,
  kind text not null,
  dex text not null,
  coin text not null,
  first_ms bigint not null,
  primary key (account_address, kind, dex, coin)
);
comment on table hl_internal.absences is 'Positions and balances that one state lacked: a second, later one closes them.';
comment on column hl_internal.absences.account_address is 'Account.';
comment on column hl_internal.absences.kind is 'perp or spot.';
comment on column hl_internal.absences.dex is 'Perp dex; empty for the first one, and for spot.';
comment on column hl_internal.absences.coin is 'What the state lacked.';
comment on column hl_internal.absences.first_ms is 'Time of the first state that lacked it, Unix milliseconds.';

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
create index idx_drift_found_at on hl_internal.drift (found_at_ms desc);
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
  account_address text not null,
  time_ms bigint not null,
  source text not null,
  data jsonb not null,
  created_at timestamptz not null default now()
);
create index idx_outbox_created_at on hl_internal.outbox using brin (created_at);
create index idx_outbox_account on hl_internal.outbox (account_address, id);
comment on table hl_internal.outbox is 'Committed changes. The ids of one account are committed in their order, those of different accounts are not: a reader keeps a cursor per account.';
comment on column hl_internal.outbox.id is 'Sequence; gaps are rolled back transactions.';
comment on column hl_internal.outbox.event_key is 'Identity of the event, the same whichever source brought the row.';
comment on column hl_internal.outbox.type is 'fill.created, order.updated, position.updated, funding.created, ledger.created or drift.found.';
comment on column hl_internal.outbox.account_address is 'Account; empty for events that belong to none.';
comment on column hl_internal.outbox.time_ms is 'The venue''s time of the change, Unix milliseconds.';
comment on column hl_internal.outbox.source is 'How hlsync saw the change.';
comment on column hl_internal.outbox.data is 'The row in snake case, decimals as strings, without the raw object.';
comment on column hl_internal.outbox.created_at is 'When the transaction of the change began, by the clock of the database.';

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

create type hl_internal.event as (
  event_key text,
  type text,
  account_address text,
  time_ms bigint,
  source text,
  data json
);
comment on type hl_internal.event is 'A change to be published; becomes a row of the outbox when all rows are written.';

create type hl_internal.outcome as (
  sent bigint,
  written bigint,
  accounts text[],
  order_ids bigint[],
  events hl_internal.event[]
);
comment on type hl_internal.outcome is 'What putting rows did: rows sent, rows inserted or changed, their accounts (and order ids, in parallel), the events they make.';

create table hl_internal.token_prices (
  token text not null,
  hour_ms bigint not null,
  at_ms bigint not null,
  price numeric not null,
  primary key (token, hour_ms)
);
comment on table hl_internal.token_prices is 'What a token was worth in USD: the first price known of each hour, from the snapshots.';
comment on column hl_internal.token_prices.token is 'Name of the token.';
comment on column hl_internal.token_prices.hour_ms is 'Beginning of the hour, Unix milliseconds.';
comment on column hl_internal.token_prices.at_ms is 'When it was worth that, Unix milliseconds.';
comment on column hl_internal.token_prices.price is 'Price in USD.';
