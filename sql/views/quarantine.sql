-- Rows and messages that could not be understood.

create or replace view public.hl_quarantine as
select q.digest, q.account_address, q.subject, q.reason, q.raw, q.count, q.first_seen_at, q.last_seen_at
from hl_internal.quarantine q;
comment on view public.hl_quarantine is 'What the venue sent and hlsync could not understand: kept, counted, replayed with `hlsync quarantine replay` after an upgrade.';
comment on column public.hl_quarantine.digest is 'Tells messages apart.';
comment on column public.hl_quarantine.account_address is 'Account, where one is known.';
comment on column public.hl_quarantine.subject is 'What it was meant to be: a channel, a request, or frame.';
comment on column public.hl_quarantine.reason is 'Why it was not understood.';
comment on column public.hl_quarantine.raw is 'The text as received.';
comment on column public.hl_quarantine.count is 'How often it was seen.';
comment on column public.hl_quarantine.first_seen_at is 'First sighting.';
comment on column public.hl_quarantine.last_seen_at is 'Last sighting.';
