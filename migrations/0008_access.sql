-- Who may read through an API (sql/access.sql).

create table hl_internal.settings (
  name text primary key,
  value text not null
);
comment on table hl_internal.settings is 'What was chosen for this database and holds for every version of hlsync.';
comment on column hl_internal.settings.name is 'access: who may read through an API.';
comment on column hl_internal.settings.value is 'For access: single-user, members or off.';

create table public.hl_members (
  user_id uuid not null,
  account_address text not null check (account_address = lower(account_address)),
  primary key (user_id, account_address)
);
comment on table public.hl_members is 'Which signed-in user may read which account, with the access preset members.';
comment on column public.hl_members.user_id is 'User, as in auth.users.';
comment on column public.hl_members.account_address is 'Account: 0x and 40 lower-case hex digits.';
