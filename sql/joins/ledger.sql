-- The rules are in sql/rules/versions.sql.

create or replace function hl_internal.join_ledger(a public.hl_ledger, b public.hl_ledger) returns public.hl_ledger
language plpgsql immutable set search_path = '' as $$
declare
  j public.hl_ledger := a;
begin
  if a operator(pg_catalog.*=) b then return a; end if;
  if hl_internal.weightier(a.raw_ledger, jsonb_build_array(a.raw_ledger)::text,
                           b.raw_ledger, jsonb_build_array(b.raw_ledger)::text) then j := b; end if;
  -- Its effect follows from the raw object that won.
  j.token := greatest(a.token collate "C", b.token);
  j.amount := hl_internal.greater(a.amount, b.amount);
  if hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
    j.first_seen_at := a.first_seen_at; j.source := a.source;
  else
    j.first_seen_at := b.first_seen_at; j.source := b.source;
  end if;
  return j;
end
$$;
comment on function hl_internal.join_ledger is 'Two versions of one ledger update made one.';
