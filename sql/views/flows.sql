-- What moved money into or out of the account, or about in it, without a trade.

create or replace view public.hl_flows as
select l.account_address, l.ledger_time, l.ledger_time_ms, l.hash, l.digest, l.type,
  trim_scale(l.perp_usdc) as perp_usdc, trim_scale(l.spot_usdc) as spot_usdc,
  trim_scale(l.perp_usdc + l.spot_usdc) as usdc, l.effect, trim_scale(l.flow_usd) as flow,
  trim_scale(l.earned_usd) as earned, l.token, l.amount, l.block_number
from public.hl_ledger l;
comment on view public.hl_flows is 'Ledger updates with their effect on the account: what crossed its border, and what changed on the perp side and on the spot side in dollars.';
comment on column public.hl_flows.account_address is 'Account.';
comment on column public.hl_flows.ledger_time is 'Block time.';
comment on column public.hl_flows.ledger_time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_flows.hash is 'Transaction hash.';
comment on column public.hl_flows.digest is 'Tells updates apart that share time, hash and type.';
comment on column public.hl_flows.type is 'The venue''s delta.type.';
comment on column public.hl_flows.perp_usdc is 'Effect on the perp dexes, fees inside.';
comment on column public.hl_flows.spot_usdc is 'Effect on the dollars held in spot, fees inside.';
comment on column public.hl_flows.usdc is 'Both.';
comment on column public.hl_flows.effect is 'flow (crosses the border), inside (between own pockets), income, cost, note or unknown.';
comment on column public.hl_flows.flow is 'What crossed the border, in USD, other tokens at the venue''s value then; 0 when nothing did, null when it is not known.';
comment on column public.hl_flows.earned is 'What an income or an own move brought in dollars, a cost negative; null where it is not told in dollars.';
comment on column public.hl_flows.token is 'Token moved, where the type names one.';
comment on column public.hl_flows.amount is 'Amount of the token.';
comment on column public.hl_flows.block_number is 'Block of the transaction, by its hash; null where the hash tells none.';

create or replace view public.hl_unpriced_flows as
select l.account_address, l.type, coalesce(nullif(l.token, ''), 'USDC') as token, count(*) as updates,
  trim_scale(sum(l.amount)) as amount, min(l.ledger_time) as first_at, max(l.ledger_time) as last_at
from public.hl_ledger l where l.effect = 'flow' and l.flow_usd is null
group by 1, 2, 3;
comment on view public.hl_unpriced_flows is 'Flows whose value is not known, by type and token: profit is unknown from the first of them on.';
comment on column public.hl_unpriced_flows.account_address is 'Account.';
comment on column public.hl_unpriced_flows.type is 'The venue''s delta.type.';
comment on column public.hl_unpriced_flows.token is 'Token moved.';
comment on column public.hl_unpriced_flows.updates is 'Number of ledger updates.';
comment on column public.hl_unpriced_flows.amount is 'Sum of their amounts, in units of the token; null where none is told.';
comment on column public.hl_unpriced_flows.first_at is 'Block time of the first.';
comment on column public.hl_unpriced_flows.last_at is 'Block time of the last.';

create or replace view public.hl_unknown_ledger as
select l.account_address, l.type, count(*) as updates, count(*) filter (where l.flow_usd is null) as with_amounts,
  min(l.ledger_time) as first_at, max(l.ledger_time) as last_at
from public.hl_ledger l where l.effect = 'unknown'
group by 1, 2;
comment on view public.hl_unknown_ledger is 'Ledger updates of a type whose effect is not known. One that tells an amount may have moved money: profit is unknown from there on.';
comment on column public.hl_unknown_ledger.account_address is 'Account.';
comment on column public.hl_unknown_ledger.type is 'The venue''s delta.type.';
comment on column public.hl_unknown_ledger.updates is 'Number of ledger updates.';
comment on column public.hl_unknown_ledger.with_amounts is 'How many of them tell an amount of something.';
comment on column public.hl_unknown_ledger.first_at is 'Block time of the first.';
comment on column public.hl_unknown_ledger.last_at is 'Block time of the last.';
