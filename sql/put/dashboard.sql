-- One of the put functions: sql/apply.sql says what they have in common.
-- Writing a snapshot looks at the newest one of its account, not at all it ever had: after a year these are half a million.

create or replace function hl_internal.put_dashboard(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      account text, "asOfMs" bigint, "accountValue" numeric, withdrawable numeric, "totalMarginUsed" numeric,
      "totalNotionalPosition" numeric, "totalRawUsd" numeric, "maintenanceMargin" numeric, "actualLeverage" numeric,
      "marginUsagePct" numeric, "freeMargin" numeric, "marginLevel" numeric, "liquidationBufferPct" numeric,
      "totalPositions" integer, "totalUnrealizedPnl" numeric, "healthScore" integer, "healthStatus" text,
      "healthReason" text, "healthComponents" jsonb, "accountMode" text, "accountValueReason" text, "netWorth" numeric,
      "netWorthReason" text, "netWorthParts" jsonb, raw jsonb, source text)
  ),
  once as (
    select distinct on (i.account, i."asOfMs") i.*,
      case when i."netWorth" is not null then
        hl_internal.torn_by(i.account, i."asOfMs", i."accountMode", i."netWorthParts" -> 'read') end as torn
    from input i
    order by i.account, i."asOfMs", i."healthScore" nulls first, i."netWorth" nulls first
  ),
  written as (
    insert into public.hl_dashboard as t (
      account_address, as_of, as_of_ms, account_value, withdrawable, total_margin_used, total_notional_position,
      total_raw_usd, maintenance_margin, actual_leverage, margin_usage_pct, free_margin, margin_level,
      liquidation_buffer_pct, total_positions, total_unrealized_pnl, health_score, health_status, health_reason,
      health_components, account_mode, raw_user_state, account_value_reason, net_worth, net_worth_reason, net_worth_parts,
      source)
    select account, to_timestamp("asOfMs" / 1000.0), "asOfMs", "accountValue",
      withdrawable, "totalMarginUsed", "totalNotionalPosition", "totalRawUsd", "maintenanceMargin", "actualLeverage",
      "marginUsagePct", "freeMargin", "marginLevel", "liquidationBufferPct", "totalPositions", "totalUnrealizedPnl",
      "healthScore", "healthStatus", "healthReason", "healthComponents", "accountMode", raw, "accountValueReason",
      case when torn is null then "netWorth" end,
      case when torn is null then "netWorthReason" else hl_internal.torn_reason(torn) end,
      "netWorthParts", source
    from once
    on conflict (account_address, as_of) do update set
      health_score = case when excluded.health_score is not null then t.health_score end,
      health_status = case when excluded.health_score is null then excluded.health_status else t.health_status end,
      health_reason = case when excluded.health_score is null then excluded.health_reason else t.health_reason end,
      health_components = case when excluded.health_score is null then excluded.health_components else t.health_components end,
      net_worth = case when excluded.net_worth is not null then t.net_worth end,
      net_worth_reason = case when excluded.net_worth is null then excluded.net_worth_reason else t.net_worth_reason end
      where excluded.source is null and ((t.health_score is not null and excluded.health_score is null)
        or (t.net_worth is not null and excluded.net_worth is null))
    returning 1
  )
  select (select count(*) from input), count(*) into result.sent, result.written from written;
  perform hl_internal.forget_mixed(s.account, min(s."asOfMs"), max(s."asOfMs"))
  from json_to_recordset(batch) as s(account text, "asOfMs" bigint) group by s.account;
  insert into hl_internal.token_prices as t (token, hour_ms, at_ms, price)
  select distinct on (token, hour_ms) p.token, i."asOfMs" - i."asOfMs" % 3600000 as hour_ms, i."asOfMs", p.price
  from json_to_recordset(batch) as i("asOfMs" bigint, "netWorthParts" jsonb)
  cross join lateral (
    select k ->> 'coin' as token, hl_internal.decimal_of(k ->> 'price') as price
    from jsonb_path_query(i."netWorthParts", '$.tokens[*]') k
    union all
    select i."netWorthParts" #>> '{stake,coin}', hl_internal.decimal_of(i."netWorthParts" #>> '{stake,price}')
  ) p
  where p.price > 0 and p.token <> all (hl_internal.dollar_tokens())
  order by token, hour_ms, i."asOfMs", p.price
  on conflict (token, hour_ms) do update set (at_ms, price) = (excluded.at_ms, excluded.price)
    where (excluded.at_ms, excluded.price) < (t.at_ms, t.price);
  update hl_internal.accounts a set mode = latest.account_mode
  from (select distinct x.account from json_to_recordset(batch) as x(account text)) touched
  cross join lateral (
    select d.account_mode from public.hl_dashboard d
    where d.account_address = touched.account order by d.as_of desc limit 1
  ) latest
  where a.account_address = touched.account and a.mode is distinct from latest.account_mode;
  return result;
end
$$;
comment on function hl_internal.put_dashboard is 'Adds account snapshots; of two with the same time the first stays, but its health and its net worth become unknown when a later one of hlsync itself says so.';
