-- The liquidation object stands on both parties' rows. Since August 2026 it may lack the user, and rows of 2023 have a mark
-- price in its place: then the venue's words decide.

create or replace function hl_internal.own_liquidation(account text, liquidation jsonb, direction text) returns boolean
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return coalesce(lower(liquidation ->> 'liquidatedUser') = account, direction like 'Liquidated%', false);
end
$$;
comment on function hl_internal.own_liquidation is 'True when a fill is the account''s own liquidation, not one that it took over.';
