-- What the venue says about the followed accounts. Decimals are unconstrained numeric: exactly the digits the venue
-- wrote. Times are kept twice, as the venue's milliseconds and as timestamptz, so that neither side has to convert.

create table public.hl_fills (
  account_address text not null,
  coin text not null,
  fill_time timestamptz not null,
  fill_time_ms bigint not null,
  side text not null check (side in ('buy', 'sell')),
  size numeric not null,
  price numeric not null,
  value numeric not null,
  fee numeric not null,
  fee_token text,
  start_position text not null,
  closed_pnl numeric not null,
  direction text not null,
  order_id bigint not null,
  trade_id bigint not null,
  hash text,
  crossed boolean not null,
  cloid text,
  builder_fee numeric,
  twap_id bigint,
  liquidation jsonb,
  raw_fill jsonb,
  source text not null,
  first_seen_at timestamptz not null,
  priority_gas numeric,
  deployer_fee numeric,
  builder text,
  block_number bigint,
  primary key (account_address, coin, fill_time_ms, order_id, trade_id, side)
);
create index idx_hl_fills_account_time on public.hl_fills (account_address, fill_time desc);
create index idx_hl_fills_account_order on public.hl_fills (account_address, order_id);
comment on table public.hl_fills is 'Every execution of a followed account, TWAP slices included. One row per (account, coin, time, order, trade, side).';
comment on column public.hl_fills.account_address is 'Account that traded: 0x and 40 lower-case hex digits.';
comment on column public.hl_fills.coin is 'Market as the venue names it: BTC, xyz:AAPL, @107, PURR/USDC, #10.';
comment on column public.hl_fills.fill_time is 'Block time of the fill.';
comment on column public.hl_fills.fill_time_ms is 'Block time of the fill in Unix milliseconds.';
comment on column public.hl_fills.side is 'Side of the account: buy or sell.';
comment on column public.hl_fills.size is 'Size in units of the coin, unsigned.';
comment on column public.hl_fills.price is 'Execution price.';
comment on column public.hl_fills.value is 'price × size, exact.';
comment on column public.hl_fills.fee is 'Fee in fee_token, signed: negative is a rebate. Contains builder_fee.';
comment on column public.hl_fills.fee_token is 'Token the fee was charged in; null in rows of 2023.';
comment on column public.hl_fills.start_position is 'Signed position (perp) or token balance (spot) before the fill, verbatim as the venue wrote it.';
comment on column public.hl_fills.closed_pnl is 'Realised profit of the closed part, gross of fees.';
comment on column public.hl_fills.direction is 'The venue''s description (Open Long, Close Short, Liquidated …); an open set, for display only.';
comment on column public.hl_fills.order_id is 'The venue''s oid.';
comment on column public.hl_fills.trade_id is 'The venue''s tid; 0 for dust conversions, negative (hashed from the content) for rows of 2023 that have none.';
comment on column public.hl_fills.hash is 'Transaction hash; all zeros for many system fills.';
comment on column public.hl_fills.crossed is 'True when the account took liquidity.';
comment on column public.hl_fills.cloid is 'Client order id, where the fill carries one.';
comment on column public.hl_fills.builder_fee is 'Part of the fee that went to a builder.';
comment on column public.hl_fills.twap_id is 'TWAP order this fill is a slice of.';
comment on column public.hl_fills.liquidation is 'The venue''s liquidation object; stands on both parties'' rows.';
comment on column public.hl_fills.raw_fill is 'The venue''s object, untouched.';
comment on column public.hl_fills.source is 'How hlsync first saw it: stream, snapshot, backfill, reconcile, repair or poll.';
comment on column public.hl_fills.first_seen_at is 'When hlsync first saw it.';
comment on column public.hl_fills.priority_gas is 'HYPE burned for priority; not contained in fee.';
comment on column public.hl_fills.deployer_fee is 'Part of the fee that went to the deployer of the dex.';
comment on column public.hl_fills.builder is 'Address of the builder, where the venue names it; its part of the fee is builder_fee.';
comment on column public.hl_fills.block_number is 'Block of the transaction, by its hash; null where the hash tells none.';

create table public.hl_order_events (
  account_address text not null,
  order_id bigint not null,
  venue_status text not null,
  status text not null,
  status_time_ms bigint not null,
  remaining numeric not null,
  coin text not null,
  side text not null check (side in ('buy', 'sell')),
  limit_price numeric not null,
  size numeric not null,
  placed_at_ms bigint not null,
  order_type text,
  tif text,
  trigger_price numeric,
  reduce_only boolean,
  cloid text,
  raw_event jsonb,
  source text not null,
  first_seen_at timestamptz not null,
  primary key (account_address, order_id, status_time_ms, venue_status)
);
comment on table public.hl_order_events is 'Every transition of every order. hl_orders is derived from these rows and from hl_fills.';
comment on column public.hl_order_events.account_address is 'Account that owns the order.';
comment on column public.hl_order_events.order_id is 'The venue''s oid.';
comment on column public.hl_order_events.venue_status is 'The venue''s status, verbatim; an open set.';
comment on column public.hl_order_events.status is 'What that status means: open, triggered, filled, canceled, rejected or unknown.';
comment on column public.hl_order_events.status_time_ms is 'Block time of the transition in Unix milliseconds.';
comment on column public.hl_order_events.remaining is 'Size not yet filled at this transition: the least any source said.';
comment on column public.hl_order_events.coin is 'Market as the venue names it.';
comment on column public.hl_order_events.side is 'Side of the order: buy or sell.';
comment on column public.hl_order_events.limit_price is 'Limit price, not the average price.';
comment on column public.hl_order_events.size is 'Original size.';
comment on column public.hl_order_events.placed_at_ms is 'Block time of the placement in Unix milliseconds.';
comment on column public.hl_order_events.order_type is 'Limit, Stop Market, Take Profit Limit …; null where the source does not tell.';
comment on column public.hl_order_events.tif is 'Gtc, Ioc, Alo, FrontendMarket, LiquidationMarket; null where the source does not tell.';
comment on column public.hl_order_events.trigger_price is 'Trigger price of a trigger order.';
comment on column public.hl_order_events.reduce_only is 'True when the order may only reduce a position.';
comment on column public.hl_order_events.cloid is 'Client order id.';
comment on column public.hl_order_events.raw_event is 'The venue''s object, untouched: the most detailed one seen.';
comment on column public.hl_order_events.source is 'How hlsync first saw it.';
comment on column public.hl_order_events.first_seen_at is 'When hlsync first saw it.';

create table public.hl_orders (
  account_address text not null,
  order_id bigint not null,
  coin text not null,
  side text not null,
  order_type text,
  tif text,
  size numeric not null,
  limit_price numeric not null,
  trigger_price numeric,
  filled numeric not null,
  fill_percentage numeric,
  status text not null
    check (status in ('open', 'partially_filled', 'triggered', 'filled', 'canceled', 'rejected', 'unknown')),
  venue_status text not null,
  cloid text,
  reduce_only boolean,
  placed_at timestamptz not null,
  status_at timestamptz not null,
  status_time_ms bigint not null,
  last_fill_time_ms bigint,
  raw_order jsonb,
  source text not null,
  updated_at timestamptz not null,
  primary key (account_address, order_id)
);
create index idx_hl_orders_account_status on public.hl_orders (account_address, status);
create index idx_hl_orders_account_time on public.hl_orders (account_address, status_at desc);
comment on table public.hl_orders is 'Current state of every order: a pure function of its rows in hl_order_events and hl_fills.';
comment on column public.hl_orders.account_address is 'Account that owns the order.';
comment on column public.hl_orders.order_id is 'The venue''s oid. A modified order has a new one.';
comment on column public.hl_orders.coin is 'Market as the venue names it.';
comment on column public.hl_orders.side is 'Side of the order: buy or sell.';
comment on column public.hl_orders.order_type is 'Limit, Stop Market, Take Profit Limit …; null until a source told.';
comment on column public.hl_orders.tif is 'Gtc, Ioc, Alo, FrontendMarket, LiquidationMarket; null until a source told.';
comment on column public.hl_orders.size is 'Original size; 0 for whole-position TP/SL.';
comment on column public.hl_orders.limit_price is 'Limit price, not the average price.';
comment on column public.hl_orders.trigger_price is 'Trigger price of a trigger order.';
comment on column public.hl_orders.filled is 'Size filled: the sum of the fills, or what a transition said, whichever is more; never more than size.';
comment on column public.hl_orders.fill_percentage is '100 × filled ÷ size, truncated at 6 decimals; null when size is 0.';
comment on column public.hl_orders.status is 'open, partially_filled, triggered, filled, canceled, rejected or unknown.';
comment on column public.hl_orders.venue_status is 'The venue''s status of the deciding transition, verbatim.';
comment on column public.hl_orders.cloid is 'Client order id; not unique over time.';
comment on column public.hl_orders.reduce_only is 'True when the order may only reduce a position.';
comment on column public.hl_orders.placed_at is 'Block time of the placement.';
comment on column public.hl_orders.status_at is 'Block time at which the status began.';
comment on column public.hl_orders.status_time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_orders.last_fill_time_ms is 'Block time of the newest fill in Unix milliseconds; null without fills.';
comment on column public.hl_orders.raw_order is 'The venue''s object of the deciding transition, untouched.';
comment on column public.hl_orders.source is 'How hlsync first saw the deciding transition.';
comment on column public.hl_orders.updated_at is 'When hlsync saw the newest fact this row rests on.';

create table public.hl_positions (
  account_address text not null,
  dex text not null,
  coin text not null,
  side text not null check (side in ('long', 'short', 'flat')),
  size numeric not null,
  entry_price numeric,
  mark_price numeric,
  liquidation_price numeric,
  position_value numeric not null,
  margin_used numeric not null,
  unrealized_pnl numeric not null,
  return_on_equity numeric,
  leverage_type text,
  leverage_value integer,
  max_leverage integer,
  liquidation_distance_pct numeric,
  funding_since_open numeric,
  funding_all_time numeric,
  raw_position jsonb,
  as_of timestamptz not null,
  as_of_ms bigint not null,
  updated_at timestamptz not null,
  closed_at timestamptz,
  primary key (account_address, dex, coin)
) with (fillfactor = 50);
comment on table public.hl_positions is 'Current state of every perp position ever seen; a closed one stays as flat with size 0.';
comment on column public.hl_positions.account_address is 'Account that holds the position.';
comment on column public.hl_positions.dex is 'Perp dex; empty for the first one.';
comment on column public.hl_positions.coin is 'Market as the venue names it.';
comment on column public.hl_positions.side is 'long, short or flat.';
comment on column public.hl_positions.size is 'Size in units of the coin, unsigned.';
comment on column public.hl_positions.entry_price is 'Average entry price as the venue displays it (rounded).';
comment on column public.hl_positions.mark_price is 'Mark price at as_of.';
comment on column public.hl_positions.liquidation_price is 'The venue''s liquidation price, null when it gives none.';
comment on column public.hl_positions.position_value is 'size × mark price.';
comment on column public.hl_positions.margin_used is 'Margin the position ties up.';
comment on column public.hl_positions.unrealized_pnl is 'Unrealised profit at as_of.';
comment on column public.hl_positions.return_on_equity is 'Unrealised profit ÷ initial margin, as the venue gives it.';
comment on column public.hl_positions.leverage_type is 'cross or isolated.';
comment on column public.hl_positions.leverage_value is 'Leverage set for the coin.';
comment on column public.hl_positions.max_leverage is 'Highest leverage the venue allows for the coin.';
comment on column public.hl_positions.liquidation_distance_pct is '|mark − liquidation| ÷ mark × 100, truncated at 6 decimals.';
comment on column public.hl_positions.funding_since_open is 'Funding since the position was opened; positive was paid by the account (the venue''s sign).';
comment on column public.hl_positions.funding_all_time is 'Funding of all time in the coin; positive was paid by the account (the venue''s sign).';
comment on column public.hl_positions.raw_position is 'The venue''s object, untouched.';
comment on column public.hl_positions.as_of is 'The venue''s time of the state this row came from.';
comment on column public.hl_positions.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_positions.updated_at is 'When this row was last written, by the clock of the database.';
comment on column public.hl_positions.closed_at is 'The venue''s time of the state in which it was flat; null while open.';

create table public.hl_balances (
  account_address text not null,
  coin text not null,
  token integer,
  total numeric not null,
  hold numeric not null,
  entry_notional numeric not null,
  raw_balance jsonb,
  as_of timestamptz not null,
  as_of_ms bigint not null,
  updated_at timestamptz not null,
  primary key (account_address, coin)
) with (fillfactor = 50);
comment on table public.hl_balances is 'Current spot balances, also the collateral of unified and portfolio-margin accounts.';
comment on column public.hl_balances.account_address is 'Account that holds the balance.';
comment on column public.hl_balances.coin is 'Token name: USDC, HYPE, +N, oN.';
comment on column public.hl_balances.token is 'The venue''s token index, null for outcome tokens.';
comment on column public.hl_balances.total is 'Amount held, in units of the token.';
comment on column public.hl_balances.hold is 'Part tied up by orders; may be negative in portfolio margin.';
comment on column public.hl_balances.entry_notional is 'Cost of the balance in USDC.';
comment on column public.hl_balances.raw_balance is 'The venue''s object, untouched.';
comment on column public.hl_balances.as_of is 'Time of the state this row came from.';
comment on column public.hl_balances.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_balances.updated_at is 'When this row was last written, by the clock of the database.';

create table public.hl_dashboard (
  account_address text not null,
  created_at timestamptz not null default now(),
  as_of timestamptz not null,
  as_of_ms bigint not null,
  account_value numeric,
  withdrawable numeric not null,
  total_margin_used numeric not null,
  total_notional_position numeric not null,
  total_raw_usd numeric not null,
  maintenance_margin numeric not null,
  actual_leverage numeric,
  margin_usage_pct numeric,
  free_margin numeric,
  margin_level numeric,
  liquidation_buffer_pct numeric,
  total_positions integer not null,
  total_unrealized_pnl numeric not null,
  health_score integer,
  health_status text not null,
  health_reason text,
  account_mode text not null,
  raw_user_state jsonb,
  health_components jsonb,
  account_value_reason text,
  net_worth numeric,
  net_worth_reason text,
  net_worth_parts jsonb,
  primary key (account_address, as_of)
);
comment on table public.hl_dashboard is 'One snapshot of an account per row, over all perp dexes and the spot collateral.';
comment on column public.hl_dashboard.account_address is 'Account the snapshot is of.';
comment on column public.hl_dashboard.created_at is 'When the row was written, by the clock of the database.';
comment on column public.hl_dashboard.as_of is 'The venue''s time of the state.';
comment on column public.hl_dashboard.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_dashboard.account_value is 'The venue''s margin equity in USD: of all perp dexes in standard mode, of the spot collateral in unified and portfolio-margin mode; null when a part of it is not known.';
comment on column public.hl_dashboard.withdrawable is 'What the venue would let out now.';
comment on column public.hl_dashboard.total_margin_used is 'Margin tied up by all positions.';
comment on column public.hl_dashboard.total_notional_position is 'Sum of the values of all positions, unsigned.';
comment on column public.hl_dashboard.total_raw_usd is 'The venue''s totalRawUsd; may be negative.';
comment on column public.hl_dashboard.maintenance_margin is 'Equity below which the cross account is liquidated.';
comment on column public.hl_dashboard.actual_leverage is 'Notional ÷ equity; null without equity.';
comment on column public.hl_dashboard.margin_usage_pct is 'Margin used ÷ equity × 100; null without equity.';
comment on column public.hl_dashboard.free_margin is 'Equity − margin used; null without equity.';
comment on column public.hl_dashboard.margin_level is 'Equity ÷ maintenance margin; null without positions.';
comment on column public.hl_dashboard.liquidation_buffer_pct is '(Equity − maintenance margin) ÷ equity × 100; null without equity.';
comment on column public.hl_dashboard.total_positions is 'Number of open positions.';
comment on column public.hl_dashboard.total_unrealized_pnl is 'Sum of unrealised profit.';
comment on column public.hl_dashboard.health_score is '0 (liquidation) to 100 (no risk); null when unknown.';
comment on column public.hl_dashboard.health_status is 'Health in one word.';
comment on column public.hl_dashboard.health_reason is 'The limiting factor in words, or why the score is unknown.';
comment on column public.hl_dashboard.account_mode is 'How the venue computes margin: standard, unified or portfolio.';
comment on column public.hl_dashboard.raw_user_state is 'The venue''s objects, untouched.';
comment on column public.hl_dashboard.health_components is 'Every part of the health score: pools, distances, penalties and the limiting factor (docs/health.md).';
comment on column public.hl_dashboard.account_value_reason is 'Why account_value is null.';
comment on column public.hl_dashboard.net_worth is 'All that the account owns at the venue, in USD (docs/equity.md); null when a part of it or a price is not known, or money was moving between parts when they were read.';
comment on column public.hl_dashboard.net_worth_reason is 'Why net_worth is null.';
comment on column public.hl_dashboard.net_worth_parts is 'What net_worth was made of: perps by dex, tokens with their prices, vaults, stake, and when each was read.';

create table public.hl_funding (
  account_address text not null,
  coin text not null,
  funding_time timestamptz not null,
  funding_time_ms bigint not null,
  usdc numeric not null,
  size numeric not null,
  funding_rate numeric not null,
  samples integer,
  raw_funding jsonb,
  source text not null,
  first_seen_at timestamptz not null,
  primary key (account_address, coin, funding_time_ms)
);
create index idx_hl_funding_account_time on public.hl_funding (account_address, funding_time desc);
comment on table public.hl_funding is 'Every funding payment of a followed account.';
comment on column public.hl_funding.account_address is 'Account that paid or received.';
comment on column public.hl_funding.coin is 'Market as the venue names it.';
comment on column public.hl_funding.funding_time is 'Time of the payment; a few milliseconds past the hour.';
comment on column public.hl_funding.funding_time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_funding.usdc is 'Amount, signed: negative was paid by the account.';
comment on column public.hl_funding.size is 'Signed position at the time.';
comment on column public.hl_funding.funding_rate is 'Rate of the hour.';
comment on column public.hl_funding.samples is 'The venue''s number of samples, null when it gives none.';
comment on column public.hl_funding.raw_funding is 'The venue''s object, untouched.';
comment on column public.hl_funding.source is 'How hlsync first saw it.';
comment on column public.hl_funding.first_seen_at is 'When hlsync first saw it.';

create table public.hl_ledger (
  account_address text not null,
  ledger_time timestamptz not null,
  ledger_time_ms bigint not null,
  hash text not null,
  type text not null,
  digest text not null,
  usdc numeric,
  token text,
  amount numeric,
  raw_ledger jsonb,
  source text not null,
  first_seen_at timestamptz not null,
  effect text,
  flow_usd numeric,
  perp_usdc numeric,
  spot_usdc numeric,
  earned_usd numeric,
  block_number bigint,
  primary key (account_address, ledger_time_ms, hash, type, digest)
);
create index idx_hl_ledger_account_time on public.hl_ledger (account_address, ledger_time desc);
comment on table public.hl_ledger is 'Deposits, withdrawals, transfers, liquidations, rewards: every ledger update that is not funding.';
comment on column public.hl_ledger.account_address is 'Account the update is of.';
comment on column public.hl_ledger.ledger_time is 'Block time of the update.';
comment on column public.hl_ledger.ledger_time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_ledger.hash is 'Transaction hash; several updates may share one.';
comment on column public.hl_ledger.type is 'The venue''s delta.type, verbatim; an open set.';
comment on column public.hl_ledger.digest is 'Digest of the update''s content: tells updates apart that share time, hash and type.';
comment on column public.hl_ledger.usdc is 'Signed effect on the account in USDC, fees inside, where the type has one: dollar tokens one for one, other tokens at the venue''s value. A transfer between classes has the sign of the perp side. By hl_internal.ledger_effect.';
comment on column public.hl_ledger.token is 'Token moved, where the type names one.';
comment on column public.hl_ledger.amount is 'Amount of the token.';
comment on column public.hl_ledger.raw_ledger is 'The venue''s object, untouched.';
comment on column public.hl_ledger.source is 'How hlsync first saw it.';
comment on column public.hl_ledger.first_seen_at is 'When hlsync first saw it.';
comment on column public.hl_ledger.effect is 'What it does to the net worth (docs/equity.md): flow, inside, income, cost, note or unknown.';
comment on column public.hl_ledger.flow_usd is 'What crossed the border of the account, in USD, fees inside; 0 when nothing did, null when it cannot be priced.';
comment on column public.hl_ledger.perp_usdc is 'Effect on the dollars in the perp dexes, fees inside.';
comment on column public.hl_ledger.spot_usdc is 'Effect on the dollars in spot, fees inside.';
comment on column public.hl_ledger.earned_usd is 'What an income or an own move brought in dollars, a cost negative; null where it is not told in dollars.';
comment on column public.hl_ledger.block_number is 'Block of the transaction, by its hash; null where the hash tells none.';
