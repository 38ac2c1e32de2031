-- States (positions, balances): the newer one wins whole; of two with the same time the greater content.

create or replace function hl_internal.join_positions(a public.hl_positions, b public.hl_positions) returns public.hl_positions
language plpgsql immutable set search_path = '' as $$
begin
  if a.as_of_ms <> b.as_of_ms then
    return case when b.as_of_ms > a.as_of_ms then b else a end;
  end if;
  if jsonb_build_array(
       b.raw_position, b.side, b.size::text, b.entry_price::text, b.mark_price::text, b.liquidation_price::text,
       b.position_value::text, b.margin_used::text, b.unrealized_pnl::text, b.return_on_equity::text, b.leverage_type,
       b.leverage_value, b.max_leverage, b.liquidation_distance_pct::text, b.funding_since_open::text,
       b.funding_all_time::text)::text collate "C"
   > jsonb_build_array(
       a.raw_position, a.side, a.size::text, a.entry_price::text, a.mark_price::text, a.liquidation_price::text,
       a.position_value::text, a.margin_used::text, a.unrealized_pnl::text, a.return_on_equity::text, a.leverage_type,
       a.leverage_value, a.max_leverage, a.liquidation_distance_pct::text, a.funding_since_open::text,
       a.funding_all_time::text)::text collate "C"
  then return b; end if;
  return a;
end
$$;
comment on function hl_internal.join_positions is 'Two states of one position made one.';

create or replace function hl_internal.join_balances(a public.hl_balances, b public.hl_balances) returns public.hl_balances
language plpgsql immutable set search_path = '' as $$
begin
  if a.as_of_ms <> b.as_of_ms then
    return case when b.as_of_ms > a.as_of_ms then b else a end;
  end if;
  if jsonb_build_array(b.raw_balance, b.token, b.total::text, b.hold::text, b.entry_notional::text)::text collate "C"
   > jsonb_build_array(a.raw_balance, a.token, a.total::text, a.hold::text, a.entry_notional::text)::text collate "C"
  then return b; end if;
  return a;
end
$$;
comment on function hl_internal.join_balances is 'Two states of one balance made one.';
