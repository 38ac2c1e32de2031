-- What a claim of coverage may say (I12).

create or replace function hl_internal.latest_claim_ms() returns bigint
language sql stable set search_path = ''
return (extract(epoch from now() + interval '15 minutes') * 1000)::bigint;
comment on function hl_internal.latest_claim_ms is 'A claim that reaches beyond this is one on the future and counts for nothing: as far ahead as src/sync/account/venueTime.ts lets the venue be of our clock.';
