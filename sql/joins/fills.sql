-- The rules are in sql/rules/versions.sql.

create or replace function hl_internal.join_fills(a public.hl_fills, b public.hl_fills) returns public.hl_fills
language plpgsql immutable set search_path = '' as $$
declare
  j public.hl_fills := b;
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
  a.raw_fill := public.hl_raw_fill(a);
  b.raw_fill := public.hl_raw_fill(b);
  j := a;
  if hl_internal.weightier(
    a.raw_fill, jsonb_build_array(a.raw_fill, a.size::text, a.price::text, a.value::text, a.fee::text, a.start_position,
                                  a.closed_pnl::text, a.direction, a.crossed)::text,
    b.raw_fill, jsonb_build_array(b.raw_fill, b.size::text, b.price::text, b.value::text, b.fee::text, b.start_position,
                                  b.closed_pnl::text, b.direction, b.crossed)::text
  ) then j := b; end if;
  j.fee_token := greatest(a.fee_token collate "C", b.fee_token);
  j.hash := greatest(a.hash collate "C", b.hash);
  j.cloid := greatest(a.cloid collate "C", b.cloid);
  if coalesce(a.builder_fee, a.priority_gas, a.deployer_fee, b.builder_fee, b.priority_gas, b.deployer_fee) is not null then
    j.builder_fee := hl_internal.greater(a.builder_fee, b.builder_fee);
    j.priority_gas := hl_internal.greater(a.priority_gas, b.priority_gas);
    j.deployer_fee := hl_internal.greater(a.deployer_fee, b.deployer_fee);
  end if;
  j.builder := greatest(a.builder collate "C", b.builder);
  j.block_number := hl_internal.block_number(j.hash);
  j.twap_id := greatest(a.twap_id, b.twap_id);
  j.liquidation := greatest(a.liquidation::text collate "C", b.liquidation::text)::jsonb;
  if hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
    j.first_seen_at := a.first_seen_at; j.source := a.source;
  else
    j.first_seen_at := b.first_seen_at; j.source := b.source;
  end if;
  j.raw_fill := hl_internal.marked(j.raw_fill, hl_internal.told_fill(j));
  return j;
end
$$;
comment on function hl_internal.join_fills is 'Two versions of one fill made one.';
