-- What a ledger update does to the money of an account.
--
-- effect      flow     money crosses the border of the account: profit leaves it out
--             inside   it moves between the account's own pockets: no flow, no profit
--             income   rewards, airdrops, commissions: profit
--             cost     gas and auctions: profit, negative
--             note     tells what other rows carry (a liquidation: its fills)
--             unknown  a type that is not known here (hl_unknown_ledger)
-- perp_usdc   effect on the dollars in the perp dexes, fees inside
-- spot_usdc   effect on the dollars in spot, fees inside
-- usdc        both, and other tokens that are sent or come, at the venue's value; of a transfer between classes the perp
--             side. Null where the update tells no number for it.
-- flow_usd    what crosses the border: 0 when nothing does, null when that is not known
-- earned_usd  what it brought in dollars, a cost negative; null where it is not told in dollars
-- leaves      true when something goes from the perps or spot to others, to a vault, a stake or a loan
-- parts       pockets that it changes: perp:<dex>, spot, vaults, stake
--
-- A followed vault sees the other side of what its depositors see.
create or replace function hl_internal.ledger_effect(
  account text, delta jsonb,
  out effect text, out perp_usdc numeric, out spot_usdc numeric, out usdc numeric, out flow_usd numeric,
  out earned_usd numeric, out leaves boolean, out parts text[])
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  kind constant text := delta ->> 'type';
  -- Old rewards name no token: USDC is meant.
  is_dollar constant boolean := coalesce(nullif(delta ->> 'token', ''), 'USDC') = any (hl_internal.dollar_tokens());
  told constant numeric := hl_internal.decimal_of(delta ->> 'usdc');
  dollars constant numeric := case when is_dollar then hl_internal.decimal_of(delta ->> 'amount') else 0 end;
  fee constant numeric := case
    when coalesce(nullif(delta ->> 'feeToken', ''), 'USDC') = any (hl_internal.dollar_tokens())
    then coalesce(hl_internal.decimal_of(delta ->> 'fee'), 0) else 0 end;
  arrives constant boolean := coalesce(lower(delta ->> 'destination') = account, false);
  -- From one pocket of the account to another: nothing but the fee leaves.
  own constant boolean := arrives and coalesce(lower(delta ->> 'user') = account, false);
  is_vault constant boolean := coalesce(lower(delta ->> 'vault') = account, false);
  to_perp constant boolean := coalesce(delta -> 'toPerp' = 'true'::jsonb, false);
  -- A spotTransfer is a send from spot to spot.
  source constant text := case when kind = 'spotTransfer' or delta ->> 'sourceDex' = 'spot' then 'spot'
    else 'perp:' || coalesce(delta ->> 'sourceDex', '') end;
  target constant text := case when kind = 'spotTransfer' or delta ->> 'destinationDex' = 'spot' then 'spot'
    else 'perp:' || coalesce(delta ->> 'destinationDex', '') end;
  -- Value of the other tokens that came, negative of those that went; null where none is told.
  tokens numeric := 0;
  moved numeric;
begin
  effect := case when own then 'inside' else 'flow' end;
  perp_usdc := 0;
  spot_usdc := 0;
  leaves := false;
  parts := '{perp:}';

  case kind
  when 'deposit' then
    perp_usdc := told;
  when 'withdraw' then
    -- The venue's usdc is what arrives; its fee left the account too.
    perp_usdc := -(told + fee);
  when 'internalTransfer', 'subAccountTransfer' then
    perp_usdc := case when own then -fee when arrives then told else -(told + fee) end;
  when 'accountClassTransfer', 'perpDexClassTransfer' then
    effect := 'inside';
    moved := case kind when 'accountClassTransfer' then told else dollars end;
    perp_usdc := case when to_perp then moved else -moved end;
    spot_usdc := -perp_usdc;
    parts := array['perp:' || coalesce(delta ->> 'dex', ''), 'spot'];
  when 'spotTransfer', 'send' then
    parts := case when own then array[source, target] when arrives then array[target] else array[source] end;
    -- The fee is in dollars, and paid from where the sender's money comes.
    moved := case when own or not arrives then -(dollars + fee) else 0 end;
    if source = 'spot' then spot_usdc := moved; else perp_usdc := moved; end if;
    moved := case when arrives then dollars else 0 end;
    if target = 'spot' then spot_usdc := spot_usdc + moved; else perp_usdc := perp_usdc + moved; end if;
    if not is_dollar and not own then
      tokens := hl_internal.decimal_of(delta ->> 'usdcValue') * case when arrives then 1 else -1 end;
    end if;

  when 'vaultCreate', 'vaultDeposit' then
    if is_vault then
      perp_usdc := told;
    else
      effect := 'inside';
      earned_usd := case kind when 'vaultCreate' then -fee else 0 end;
      perp_usdc := earned_usd - told;
      leaves := true;
      parts := '{perp:,vaults}';
    end if;
  when 'vaultDistribution' then
    perp_usdc := case when is_vault then -told else told end;
    if not is_vault then
      effect := 'inside';
      parts := '{perp:,vaults}';
    end if;
  when 'vaultWithdraw' then
    if is_vault then
      perp_usdc := -hl_internal.decimal_of(delta ->> 'requestedUsd');
    else
      effect := 'inside';
      perp_usdc := hl_internal.decimal_of(delta ->> 'netWithdrawnUsd');
      earned_usd := -(coalesce(hl_internal.decimal_of(delta ->> 'commission'), 0)
                      + coalesce(hl_internal.decimal_of(delta ->> 'closingCost'), 0));
      parts := '{perp:,vaults}';
    end if;
  when 'vaultLeaderCommission' then
    perp_usdc := case when is_vault then -told else told end;
    if not is_vault then effect := 'income'; end if;

  when 'cStakingTransfer' then
    effect := 'inside';
    tokens := null;
    leaves := coalesce(delta -> 'isDeposit' = 'true'::jsonb, false);
    parts := '{spot,stake}';
  when 'borrowLend' then
    -- What is supplied is inside the total of a balance, what is borrowed is owed beside it.
    effect := 'inside';
    leaves := coalesce(delta ->> 'operation' in ('supply', 'repay'), false);
    earned_usd := case when is_dollar then hl_internal.decimal_of(delta ->> 'interestAmount')
      * case when delta ->> 'operation' in ('borrow', 'repay') then -1 else 1 end end;
    parts := '{spot}';

  when 'rewardsClaim', 'spotGenesis' then
    effect := 'income';
    spot_usdc := dollars;
    parts := '{spot}';
  when 'welcomeBonus' then
    effect := 'income';
    perp_usdc := coalesce(told, dollars);
  when 'accountActivationGas', 'activateDexAbstraction', 'deployGasAuction', 'gossipPriorityGasAuction' then
    effect := 'cost';
    spot_usdc := -dollars;
    parts := '{spot}';
  when 'hip3LiquidatorDeposit' then
    spot_usdc := -dollars;
    if not is_dollar then tokens := -hl_internal.decimal_of(delta ->> 'usdcValue'); end if;
    parts := '{spot}';
  when 'liquidation' then
    effect := 'note';
    tokens := null;
    parts := '{}';
  else
    effect := 'unknown';
    tokens := null;
    parts := '{}';
  end case;

  if effect in ('income', 'cost') and not is_dollar and told is null then tokens := null; end if;
  usdc := case when kind in ('accountClassTransfer', 'perpDexClassTransfer') then perp_usdc
    else perp_usdc + spot_usdc + tokens end;
  flow_usd := case effect
    when 'flow' then usdc
    when 'unknown' then hl_internal.no_money(delta)
    else 0 end;
  if effect = 'flow' then leaves := coalesce(flow_usd < 0, kind <> 'deposit' and not arrives); end if;
  if effect in ('income', 'cost') then earned_usd := usdc; end if;
  if own then earned_usd := -fee; end if;
end
$$;
comment on function hl_internal.ledger_effect is 'What a ledger update does to the money of an account (docs/equity.md): the one rule that all tables and views follow.';
