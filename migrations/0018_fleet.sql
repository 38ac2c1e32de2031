-- The processes that share a database, and which of them does what.

create table hl_internal.workers (
  worker text primary key,
  egress text not null,
  wants text[] not null,
  started_at timestamptz not null,
  steady_at timestamptz not null,
  streams integer not null,
  slots integer not null,
  weight integer not null,
  spent integer not null,
  renewed_at timestamptz not null,
  expires_at timestamptz not null
) with (fillfactor = 50);
comment on table hl_internal.workers is 'Processes that share the database: each renews its one row every second, however many accounts it follows.';
comment on column hl_internal.workers.worker is 'Host, process and a word of chance: unique to this start.';
comment on column hl_internal.workers.egress is 'Where its requests leave from: the venue''s limits count for all workers of one egress together.';
comment on column hl_internal.workers.wants is 'Duties that it would take beside those of the roster.';
comment on column hl_internal.workers.started_at is 'When it was first heard of.';
comment on column hl_internal.workers.steady_at is 'Since when it renewed its row without a pause: only one that is steady for a while calls another dead.';
comment on column hl_internal.workers.streams is 'Connections to the venue that it has open.';
comment on column hl_internal.workers.slots is 'Connections that it may open.';
comment on column hl_internal.workers.weight is 'REST weight a minute that it may spend.';
comment on column hl_internal.workers.spent is 'REST weight that it spent in the last minute.';
comment on column hl_internal.workers.renewed_at is 'When it was last heard of, by the clock of the database.';
comment on column hl_internal.workers.expires_at is 'What it does is free for others after this.';

create table hl_internal.claims (
  duty text primary key,
  worker text,
  token bigint not null,
  heir text,
  since timestamptz not null
);
create index idx_claims_worker on hl_internal.claims (worker);
comment on table hl_internal.claims is 'Which worker does what. A row changes when the worker of a duty does, never by time passing.';
comment on column hl_internal.claims.duty is '"follow 0x…" for an account, "market …" for market data.';
comment on column hl_internal.claims.worker is 'Who does it; null when it was given back.';
comment on column hl_internal.claims.token is 'Fencing token: grows with every change of worker.';
comment on column hl_internal.claims.heir is 'To whom the worker gives it as soon as everything received is written.';
comment on column hl_internal.claims.since is 'Since when it is this worker''s.';
