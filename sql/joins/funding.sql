-- The rules are in sql/rules/versions.sql.

create or replace function hl_internal.join_funding(a public.hl_funding, b public.hl_funding) returns public.hl_funding
language plpgsql immutable set search_path = '' as $$
declare
  j public.hl_funding := a;
begin
  if a operator(pg_catalog.*=) b then return a; end if;
  if hl_internal.weightier(
    a.raw_funding, jsonb_build_array(a.raw_funding, a.usdc::text, a.size::text, a.funding_rate::text)::text,
    b.raw_funding, jsonb_build_array(b.raw_funding, b.usdc::text, b.size::text, b.funding_rate::text)::text
  ) then j := b; end if;
  j.samples := greatest(a.samples, b.samples);
  if hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
    j.first_seen_at := a.first_seen_at; j.source := a.source;
  else
    j.first_seen_at := b.first_seen_at; j.source := b.source;
  end if;
  return j;
end
$$;
comment on function hl_internal.join_funding is 'Two versions of one funding payment made one.';
