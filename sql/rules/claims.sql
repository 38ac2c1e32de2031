-- What a claim of coverage may say (I12). By the database's clock, which may be as far from the writer's as that one may be
-- from the venue's; claims themselves end at most 10 s ahead of the writer's clock (src/sync/account/venueTime.ts).

create or replace function hl_internal.latest_claim_ms() returns bigint
language sql stable set search_path = ''
return (extract(epoch from now() + interval '15 minutes') * 1000)::bigint;
comment on function hl_internal.latest_claim_ms is 'A claim that reaches beyond this is one on the future and counts for nothing: as far ahead as src/sync/account/venueTime.ts lets the venue be of our clock.';
