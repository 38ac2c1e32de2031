-- What an older rule made of a stored row is made anew, when these definitions replace others.

update public.hl_ledger l set
  usdc = e.usdc, effect = e.effect, flow_usd = e.flow_usd, perp_usdc = e.perp_usdc, spot_usdc = e.spot_usdc,
  earned_usd = e.earned_usd
from public.hl_ledger x
cross join lateral hl_internal.ledger_effect(x.account_address, x.raw_ledger -> 'delta') e
where x.ctid = l.ctid and x.raw_ledger is not null
  and (l.usdc, l.effect, l.flow_usd, l.perp_usdc, l.spot_usdc, l.earned_usd)
    is distinct from (e.usdc, e.effect, e.flow_usd, e.perp_usdc, e.spot_usdc, e.earned_usd);

-- Settled sums are made anew when a definition that they were made with changed, not with every release: an account of a
-- million fills takes a minute and a half to settle.
do $$
declare
  settled_rules constant text := hl_internal.settled_rules();
begin
  if exists (select from hl_internal.settled_by b where b.rules = settled_rules) then return; end if;
  delete from hl_internal.settled_days;
  delete from hl_internal.settled_slots;
  delete from hl_internal.settled_trades;
  delete from hl_internal.settled;
  delete from hl_internal.settled_by;
  insert into hl_internal.settled_by (rules) values (settled_rules);
end
$$;
