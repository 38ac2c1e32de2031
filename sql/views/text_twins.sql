-- A view with its decimals as text, its columns and their comments taken from the catalogue, so that none is forgotten.

create or replace function hl_internal.make_text_twin(base text) returns void
language plpgsql set search_path = '' as $$
declare
  columns text;
  col record;
begin
  select string_agg(case when a.atttypid = 'pg_catalog.numeric'::regtype
                         then format('%1$I::text as %1$I', a.attname) else quote_ident(a.attname) end, ', ' order by a.attnum)
  into columns
  from pg_catalog.pg_attribute a
  where a.attrelid = ('public.' || base)::regclass and a.attnum > 0 and not a.attisdropped;
  execute format('create or replace view public.%I as select %s from public.%I', base || '_text', columns, base);
  execute format('comment on view public.%I is %L', base || '_text',
                 base || ' with decimals as text, for clients that would round them.');
  for col in
    select a.attname, pg_catalog.col_description(a.attrelid, a.attnum) as words
    from pg_catalog.pg_attribute a
    where a.attrelid = ('public.' || base)::regclass and a.attnum > 0 and not a.attisdropped
  loop
    execute format('comment on column public.%I.%I is %L', base || '_text', col.attname, col.words);
  end loop;
end
$$;
comment on function hl_internal.make_text_twin is 'Makes or renews the view <base>_text.';

select hl_internal.make_text_twin(base) from unnest(array[
  'hl_fills', 'hl_orders', 'hl_order_events', 'hl_positions', 'hl_balances', 'hl_dashboard', 'hl_funding', 'hl_ledger',
  'hl_fill_pnl', 'hl_net_pnl_daily_by_coin', 'hl_net_pnl_daily', 'hl_net_pnl_by_coin', 'hl_fees', 'hl_funding_daily',
  'hl_funding_by_coin', 'hl_round_trips', 'hl_flows', 'hl_unpriced_flows', 'hl_equity', 'hl_equity_daily', 'hl_account_now', 'hl_exposure',
  'hl_exposure_total', 'hl_statistics', 'hl_trades', 'hl_candles', 'hl_mids', 'hl_asset_ctxs',
  'hl_alerts'
]) base;
