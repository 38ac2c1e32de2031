-- hl_ledger.usdc told the wrong effect of some updates: those of a followed vault, seen from its depositors' side, and
-- what an account sends to itself between its dexes. What is stored is set right from the same raw object; hl_flows had it
-- right all along. An accountClassTransfer keeps the sign of the perp side, which hl_flows has beside that of spot.

update public.hl_ledger l
set usdc = f.usdc
from public.hl_flows f
where (l.account_address, l.ledger_time_ms, l.hash, l.type, l.digest)
    = (f.account_address, f.ledger_time_ms, f.hash, f.type, f.digest)
  and (l.usdc is not null or l.type = 'rewardsClaim')
  and l.usdc is distinct from f.usdc
  and (l.type in ('deposit', 'withdraw', 'internalTransfer', 'subAccountTransfer', 'vaultCreate', 'vaultDeposit',
                  'vaultDistribution', 'vaultLeaderCommission', 'vaultWithdraw')
    or (l.type in ('spotTransfer', 'send', 'rewardsClaim')
      and coalesce(l.raw_ledger -> 'delta' ->> 'token', 'USDC') in ('USDC', 'USDT0', 'USDT', 'USDE', 'USDH')));

comment on column public.hl_ledger.usdc is 'Signed effect on the account in USDC, fees inside, where the type has one: dollar tokens one for one, other tokens at the venue''s value. An accountClassTransfer has the sign of the perp side.';
