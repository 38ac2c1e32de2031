-- What was found not to be as the venue says is not taken for known any more. The next reading of the venue then
-- closes it like any other gap, by the ordinary joins.
--
-- What is in doubt is not known in any grade: also what was set down as unprovable is read again, for a row that was not
-- understood may be by now, and what the venue serves after all was no loss.

create or replace function hl_internal.doubt(account text, doubts json) returns void
language plpgsql set search_path = '' set lock_timeout = '20s' as $$
declare
  tables text[];
  order_ids bigint[];
begin
  perform hl_internal.lock_accounts(array[account]);

  -- Claims over the time in question were wrong.
  update hl_internal.coverage c
  set covered = c.covered - d.ranges
  from (
    select x.stream, range_agg(int8range(x."fromMs", x."toMs", '[]')) as ranges
    from json_to_recordset(doubts) as x(stream text, "fromMs" bigint, "toMs" bigint)
    group by x.stream
  ) d
  where c.account_address = account and c.stream = d.stream and c.covered && d.ranges;

  -- Where only time is in doubt, no table is looked through.
  select array_agg(distinct x."table") into tables from json_to_recordset(doubts) as x("table" text) where x."table" is not null;
  if tables is null then return; end if;

  -- A row that differs loses what would make it win a join: its raw object, and what the greatest value decides. So it
  -- is the lightest version there can be, and whatever the venue says next takes its place.
  if 'hl_fills' = any (tables) then
    update public.hl_fills t
    set raw_fill = null, fee_token = null, hash = null, cloid = null, builder_fee = null, twap_id = null, liquidation = null,
      priority_gas = null, deployer_fee = null, builder = null, block_number = null
    from json_to_recordset(doubts) as x("table" text, "row" text, "fromMs" bigint)
    where x."table" = 'hl_fills' and t.account_address = account and t.fill_time_ms = x."fromMs"
      and concat_ws('|', t.account_address, t.coin, t.fill_time_ms, t.order_id, t.trade_id, t.side) = x."row";
  end if;

  if 'hl_funding' = any (tables) then
    update public.hl_funding t
    set raw_funding = null, samples = null
    from json_to_recordset(doubts) as x("table" text, "row" text, "fromMs" bigint)
    where x."table" = 'hl_funding' and t.account_address = account and t.funding_time_ms = x."fromMs"
      and concat_ws('|', t.coin, t.funding_time_ms) = x."row";
  end if;

  if 'hl_ledger' = any (tables) then
    update public.hl_ledger t
    set raw_ledger = null, usdc = null, token = null, amount = null, effect = 'unknown', flow_usd = null,
      perp_usdc = null, spot_usdc = null, earned_usd = null
    from json_to_recordset(doubts) as x("table" text, "row" text, "fromMs" bigint)
    where x."table" = 'hl_ledger' and t.account_address = account and t.ledger_time_ms = x."fromMs"
      and concat_ws('|', t.ledger_time_ms, t.hash, t.type, t.digest) = x."row";
  end if;

  if 'hl_orders' = any (tables) then
    -- A finding may be of what is no order at all.
    select array_agg(x."row"::bigint) into order_ids from json_to_recordset(doubts) as x("table" text, "row" text)
    where x."table" = 'hl_orders' and x."row" ~ '^[0-9]{1,18}$';

    -- That the venue has forgotten an order is our own conclusion, no row of the venue's: it is taken back whole.
    delete from public.hl_order_events t
    where t.account_address = account and t.order_id = any (order_ids) and t.status = 'unknown';

    -- An order follows from its transitions: when they are written again, it is derived again.
    update public.hl_order_events t
    set raw_event = null, remaining = greatest(t.remaining, t.size), order_type = null, tif = null, trigger_price = null,
      reduce_only = null, cloid = null
    where t.account_address = account and t.order_id = any (order_ids);
  end if;

  -- States are taken by their time: one that claims a later time than the venue's goes back before it, and so gives way to
  -- the next.
  update public.hl_positions t
  set as_of_ms = x."fromMs", as_of = to_timestamp(x."fromMs" / 1000.0)
  from json_to_recordset(doubts) as x("table" text, "row" text, "fromMs" bigint)
  where x."table" = 'hl_positions' and t.account_address = account and concat_ws('|', t.dex, t.coin) = x."row"
    and t.as_of_ms > x."fromMs";

  update public.hl_balances t
  set as_of_ms = x."fromMs", as_of = to_timestamp(x."fromMs" / 1000.0)
  from json_to_recordset(doubts) as x("table" text, "row" text, "fromMs" bigint)
  where x."table" = 'hl_balances' and t.account_address = account and t.coin = x."row" and t.as_of_ms > x."fromMs";

  -- Of what the venue serves as a whole list each time: an order that has ended, or is told later, would not give way; the
  -- others have nothing that decides but their content. Interest is read from the newest row on.
  update public.hl_twaps t
  set is_ended = false, as_of_ms = t.started_ms - 1000
  from json_to_recordset(doubts) as x("table" text, "row" text)
  where x."table" = 'hl_twaps' and t.account_address = account and t.twap_id::text = x."row";

  delete from public.hl_account_facts t using json_to_recordset(doubts) as x("table" text, "row" text)
  where x."table" = 'hl_account_facts' and t.account_address = account and t.fact = x."row";

  delete from public.hl_portfolio t using json_to_recordset(doubts) as x("table" text, "row" text)
  where x."table" = 'hl_portfolio' and t.account_address = account and concat_ws('|', t.scope, t.time_ms) = x."row";

  delete from public.hl_staking_rewards t using json_to_recordset(doubts) as x("table" text, "row" text)
  where x."table" = 'hl_staking_rewards' and t.account_address = account and concat_ws('|', t.time_ms, t.kind) = x."row";

  delete from public.hl_lending_interest t
  where t.account_address = account and t.time_ms >= (
    select min(x."fromMs") from json_to_recordset(doubts) as x("table" text, "fromMs" bigint)
    where x."table" = 'hl_lending_interest');

  -- A claim that is withdrawn is a gap, which the process that follows sees. These have no claims: it looks here.
  update hl_internal.accounts a
  set doubted_ms = greatest((extract(epoch from clock_timestamp()) * 1000)::bigint, a.doubted_ms + 1)
  where a.account_address = account and exists (
    select from json_to_recordset(doubts) as x("table" text)
    where x."table" in ('hl_twaps', 'hl_account_facts', 'hl_portfolio', 'hl_staking_rewards', 'hl_lending_interest'));

  update hl_internal.states s
  set as_of_ms = x."fromMs"
  from (
    select y."table", split_part(y."row", '|', 1) as dex, min(y."fromMs") as "fromMs"
    from json_to_recordset(doubts) as y("table" text, "row" text, "fromMs" bigint)
    where y."table" in ('hl_positions', 'hl_balances') group by 1, 2
  ) x
  where s.account_address = account and s.as_of_ms > x."fromMs"
    and ((s.kind = 'perp' and x."table" = 'hl_positions' and s.dex = x.dex)
      or (s.kind = 'spot' and x."table" = 'hl_balances'));
end
$$;
comment on function hl_internal.doubt is 'Withdraws claims of completeness, and makes rows that differ from the venue lose the next join: [{"stream", "fromMs", "toMs", "table", "row"}], table and row null where only time is in doubt.';
