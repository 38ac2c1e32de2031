-- The accounts that are to be followed, for all processes that share the database.

create table hl_internal.roster (
  account_address text primary key check (account_address ~ '^0x[0-9a-f]{40}$'),
  alias text,
  tags text[] not null default '{}',
  wish text not null default 'stream' check (wish in ('stream', 'poll')),
  since_ms bigint,
  paused boolean not null default false,
  added_at timestamptz not null default now()
);
comment on table hl_internal.roster is 'Accounts to follow: every running hlsync that shares the database takes a change up within seconds.';
comment on column hl_internal.roster.account_address is '0x and 40 lower-case hex digits.';
comment on column hl_internal.roster.alias is 'Name given by the user.';
comment on column hl_internal.roster.tags is 'Words of the user, to find accounts by.';
comment on column hl_internal.roster.wish is 'stream: live as far as the venue''s limits allow. poll: never streamed.';
comment on column hl_internal.roster.since_ms is 'Start of the wanted history, Unix milliseconds; null for what the running process says.';
comment on column hl_internal.roster.paused is 'Whether it is left alone for now.';
comment on column hl_internal.roster.added_at is 'When it was added.';
