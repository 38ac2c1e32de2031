-- What the venue tells of an account beside its money. Rows are versions, put by hl_internal.put_versions.

create table public.hl_portfolio (
  account_address text not null,
  scope text not null check (scope in ('all', 'perp')),
  at_time timestamptz not null generated always as (to_timestamp(time_ms / 1000.0)) stored,
  time_ms bigint not null,
  account_value numeric not null,
  pnl numeric,
  primary key (account_address, scope, time_ms)
);
comment on table public.hl_portfolio is 'The venue''s own curves of equity and profit, as it tells them: also from before hlsync was there. Not mixed with what hlsync measured (hl_equity).';
comment on column public.hl_portfolio.account_address is 'Account.';
comment on column public.hl_portfolio.scope is 'all: the whole account as the venue counts it; perp: its perps alone.';
comment on column public.hl_portfolio.at_time is 'Time of the point.';
comment on column public.hl_portfolio.time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_portfolio.account_value is 'Equity then.';
comment on column public.hl_portfolio.pnl is 'Profit since the account began, as the venue counts it; null where its curves do not tell.';

create table public.hl_twaps (
  account_address text not null,
  twap_id bigint not null,
  coin text not null,
  side text not null check (side in ('buy', 'sell')),
  size numeric not null,
  executed_size numeric not null,
  executed_value numeric not null,
  minutes integer,
  randomize boolean,
  reduce_only boolean,
  stop_price numeric,
  trigger_price numeric,
  trigger_above boolean,
  status text not null,
  error text,
  is_ended boolean not null,
  started_at timestamptz not null generated always as (to_timestamp(started_ms / 1000.0)) stored,
  started_ms bigint not null,
  as_of timestamptz not null generated always as (to_timestamp(as_of_ms / 1000.0)) stored,
  as_of_ms bigint not null,
  raw jsonb,
  primary key (account_address, twap_id)
);
create index idx_hl_twaps_as_of on public.hl_twaps (account_address, as_of desc);
comment on table public.hl_twaps is 'TWAP orders with their newest state. A late state never replaces an end. hl_twap_orders adds what their slices did.';
comment on column public.hl_twaps.account_address is 'Account.';
comment on column public.hl_twaps.twap_id is 'The venue''s id, as slices have it; negative where it told none.';
comment on column public.hl_twaps.coin is 'Market as the venue names it.';
comment on column public.hl_twaps.side is 'buy or sell.';
comment on column public.hl_twaps.size is 'Size that was ordered, in units of the coin.';
comment on column public.hl_twaps.executed_size is 'What of it was executed when the state was written.';
comment on column public.hl_twaps.executed_value is 'Sum of price × size of that.';
comment on column public.hl_twaps.minutes is 'Over how many minutes.';
comment on column public.hl_twaps.randomize is 'Whether slices are moved at random.';
comment on column public.hl_twaps.reduce_only is 'Whether it may only reduce a position.';
comment on column public.hl_twaps.stop_price is 'Price at which it stops; null without one.';
comment on column public.hl_twaps.trigger_price is 'Price at which it begins; null without one.';
comment on column public.hl_twaps.trigger_above is 'Whether it begins above the trigger.';
comment on column public.hl_twaps.status is 'The venue''s word: activated, waitingForTrigger, finished, terminated, stopped, error; an open set.';
comment on column public.hl_twaps.error is 'Why it failed; null where it did not.';
comment on column public.hl_twaps.is_ended is 'No more comes of it.';
comment on column public.hl_twaps.started_at is 'When it was placed.';
comment on column public.hl_twaps.started_ms is 'The same in Unix milliseconds.';
comment on column public.hl_twaps.as_of is 'When it got this status, to the second.';
comment on column public.hl_twaps.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_twaps.raw is 'The venue''s object, untouched.';

create table public.hl_staking_rewards (
  account_address text not null,
  reward_time timestamptz not null generated always as (to_timestamp(time_ms / 1000.0)) stored,
  time_ms bigint not null,
  kind text not null,
  amount numeric not null,
  raw jsonb,
  primary key (account_address, time_ms, kind)
);
comment on table public.hl_staking_rewards is 'Rewards for staked HYPE; the venue adds them to what is delegated.';
comment on column public.hl_staking_rewards.account_address is 'Account.';
comment on column public.hl_staking_rewards.reward_time is 'When it was given.';
comment on column public.hl_staking_rewards.time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_staking_rewards.kind is 'delegation, commission; an open set.';
comment on column public.hl_staking_rewards.amount is 'In HYPE.';
comment on column public.hl_staking_rewards.raw is 'The venue''s object, untouched.';

create table public.hl_lending_interest (
  account_address text not null,
  interest_time timestamptz not null generated always as (to_timestamp(time_ms / 1000.0)) stored,
  time_ms bigint not null,
  token text not null,
  charged numeric not null,
  earned numeric not null,
  raw jsonb,
  primary key (account_address, time_ms, token)
);
comment on table public.hl_lending_interest is 'Interest by token and hour.';
comment on column public.hl_lending_interest.account_address is 'Account.';
comment on column public.hl_lending_interest.interest_time is 'When it was counted.';
comment on column public.hl_lending_interest.time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_lending_interest.token is 'Token.';
comment on column public.hl_lending_interest.charged is 'Charged for what was borrowed, in the token.';
comment on column public.hl_lending_interest.earned is 'Earned on what was supplied, in the token.';
comment on column public.hl_lending_interest.raw is 'The venue''s object, untouched.';

create table public.hl_account_facts (
  account_address text not null,
  fact text not null,
  value jsonb not null,
  as_of timestamptz not null generated always as (to_timestamp(as_of_ms / 1000.0)) stored,
  as_of_ms bigint not null,
  primary key (account_address, fact)
);
comment on table public.hl_account_facts is 'Present states that the venue tells as a whole, the newest of each. hl_vault_equities, hl_delegations, hl_api_wallets and hl_account_limits read it.';
comment on column public.hl_account_facts.account_address is 'Account.';
comment on column public.hl_account_facts.fact is 'vaults, stake, delegations, fees, requests, volumes, agents (API wallets with a name), agent (the one without).';
comment on column public.hl_account_facts.value is 'The venue''s words.';
comment on column public.hl_account_facts.as_of is 'When it was told, by the venue''s clock.';
comment on column public.hl_account_facts.as_of_ms is 'The same in Unix milliseconds.';
