-- The rules are in sql/rules/versions.sql.

create or replace function hl_internal.join_order_events(a public.hl_order_events, b public.hl_order_events)
returns public.hl_order_events
language plpgsql immutable set search_path = '' as $$
declare
  j public.hl_order_events := b;
begin
  j.first_seen_at := a.first_seen_at;
  j.source := a.source;
  -- Nearly always the same row, seen again.
  if a operator(pg_catalog.*=) j then
    if not hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
      j.first_seen_at := b.first_seen_at; j.source := b.source;
    end if;
    return j;
  end if;
  a.raw_event := public.hl_raw_event(a);
  b.raw_event := public.hl_raw_event(b);
  j := a;
  if hl_internal.weightier(
    a.raw_event, jsonb_build_array(a.raw_event, a.coin, a.side, a.limit_price::text, a.size::text, a.placed_at_ms)::text,
    b.raw_event, jsonb_build_array(b.raw_event, b.coin, b.side, b.limit_price::text, b.size::text, b.placed_at_ms)::text
  ) then j := b; end if;
  j.remaining := hl_internal.lesser(a.remaining, b.remaining);
  j.order_type := greatest(a.order_type collate "C", b.order_type);
  j.tif := greatest(a.tif collate "C", b.tif);
  j.trigger_price := hl_internal.greater(a.trigger_price, b.trigger_price);
  j.reduce_only := greatest(a.reduce_only, b.reduce_only);
  j.cloid := greatest(a.cloid collate "C", b.cloid);
  if hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
    j.first_seen_at := a.first_seen_at; j.source := a.source;
  else
    j.first_seen_at := b.first_seen_at; j.source := b.source;
  end if;
  j.raw_event := hl_internal.marked(j.raw_event, hl_internal.told_order_event(j));
  return j;
end
$$;
comment on function hl_internal.join_order_events is 'Two sightings of one order transition made one.';
