-- What moved money into or out of the account without a trade. Perp and spot sides apart, since in standard mode only
-- the perp side is equity.

create or replace view public.hl_flows as
with deltas as (
  select l.account_address, l.ledger_time, l.ledger_time_ms, l.hash, l.digest, l.type, l.raw_ledger -> 'delta' as d,
    lower(l.raw_ledger -> 'delta' ->> 'destination') = l.account_address as incoming,
    lower(l.raw_ledger -> 'delta' ->> 'user') = l.account_address as outgoing,
    lower(l.raw_ledger -> 'delta' ->> 'vault') = l.account_address as is_vault,
    coalesce(l.raw_ledger -> 'delta' ->> 'token', 'USDC') in ('USDC', 'USDT0', 'USDT', 'USDE', 'USDH') as dollars
  from public.hl_ledger l
),
amounts as (
  select x.*, coalesce((d ->> 'usdc')::numeric, 0) as usdc, coalesce((d ->> 'amount')::numeric, 0) as amount,
    case when coalesce(d ->> 'feeToken', '') in ('', 'USDC', 'USDT0', 'USDT', 'USDE', 'USDH')
         then coalesce((d ->> 'fee')::numeric, 0) else 0 end as fee,
    d ->> 'sourceDex' is distinct from 'spot' as from_perp, d ->> 'destinationDex' is distinct from 'spot' as to_perp
  from deltas x
),
sides as (
  select a.*, case type
      when 'deposit' then usdc
      when 'withdraw' then -(usdc + fee)
      when 'accountClassTransfer' then case when (d ->> 'toPerp')::boolean then usdc else -usdc end
      when 'internalTransfer' then case when incoming then usdc else -(usdc + fee) end
      when 'subAccountTransfer' then case when incoming then usdc else -usdc end
      when 'vaultCreate' then -(usdc + fee)
      when 'vaultDeposit' then case when is_vault then usdc else -usdc end
      when 'vaultDistribution' then case when is_vault then -usdc else usdc end
      when 'vaultLeaderCommission' then case when is_vault then -usdc else usdc end
      when 'vaultWithdraw' then case when is_vault then -coalesce((d ->> 'requestedUsd')::numeric, 0)
                                     else coalesce((d ->> 'netWithdrawnUsd')::numeric, 0) end
      when 'send' then case when dollars then
        case when incoming and to_perp then amount else 0 end
        - case when outgoing and from_perp then amount + fee else 0 end else 0 end
      else 0 end as perp_usdc,
    case type
      when 'accountClassTransfer' then case when (d ->> 'toPerp')::boolean then -usdc else usdc end
      when 'spotTransfer' then case when incoming then case when dollars then amount else 0 end
                                    else -(case when dollars then amount else 0 end + fee) end
      when 'send' then case when dollars then
        case when incoming and not to_perp then amount else 0 end
        - case when outgoing and not from_perp then amount + fee else 0 end else 0 end
      when 'rewardsClaim' then case when dollars then amount else 0 end
      else 0 end as spot_usdc
  from amounts a
)
select account_address, ledger_time, ledger_time_ms, hash, digest, type, trim_scale(perp_usdc) as perp_usdc,
  trim_scale(spot_usdc) as spot_usdc, trim_scale(perp_usdc + spot_usdc) as usdc
from sides;
comment on view public.hl_flows is 'Deposits, withdrawals and transfers with their effect on the account in USDC; dollar tokens count one for one, other tokens not at all.';
comment on column public.hl_flows.account_address is 'Account.';
comment on column public.hl_flows.ledger_time is 'Block time.';
comment on column public.hl_flows.ledger_time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_flows.hash is 'Transaction hash.';
comment on column public.hl_flows.digest is 'Tells updates apart that share time, hash and type.';
comment on column public.hl_flows.type is 'The venue''s delta.type.';
comment on column public.hl_flows.perp_usdc is 'Effect on the perp dexes, fees inside.';
comment on column public.hl_flows.spot_usdc is 'Effect on the dollars held in spot, fees inside.';
comment on column public.hl_flows.usdc is 'Both.';
