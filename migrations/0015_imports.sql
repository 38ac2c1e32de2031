-- What was read from a node's files, so that an import goes on where it stopped.

create table hl_internal.import_sets (
  id bigint generated always as identity primary key,
  digest text not null unique,
  accounts text[] not null
);
comment on table hl_internal.import_sets is 'Sets of accounts that files were read for.';
comment on column hl_internal.import_sets.id is 'Number.';
comment on column hl_internal.import_sets.digest is 'Digest of the accounts.';
comment on column hl_internal.import_sets.accounts is 'The accounts, sorted.';

create table hl_internal.import_files (
  digest text not null,
  set_id bigint not null references hl_internal.import_sets (id),
  name text not null,
  size bigint not null,
  kind text,
  runs jsonb not null,
  lost jsonb not null,
  imported_at timestamptz not null default now(),
  primary key (digest, set_id)
);
comment on table hl_internal.import_files is 'Files that were read whole, for a set of accounts.';
comment on column hl_internal.import_files.digest is 'Digest of the size, the beginning and the end of the file: what it is, wherever it lies.';
comment on column hl_internal.import_files.set_id is 'The accounts it was read for.';
comment on column hl_internal.import_files.name is 'Where it was.';
comment on column hl_internal.import_files.size is 'Bytes.';
comment on column hl_internal.import_files.kind is 'What it holds: fill, order, misc or twap; null where it is empty.';
comment on column hl_internal.import_files.runs is 'Unbroken runs of blocks in it: [{fromBlock, toBlock, fromMs, toMs}].';
comment on column hl_internal.import_files.lost is 'Fills that could not be read or stored: [{account, timeMs}].';
comment on column hl_internal.import_files.imported_at is 'When it was read.';
comment on column public.hl_fills.source is 'How hlsync first saw it: stream, snapshot, backfill, reconcile, repair or poll; node: in a node''s files; legacy when an older program did.';
comment on column public.hl_order_events.source is 'How hlsync first saw it; node: in a node''s files; legacy when an older program did.';
