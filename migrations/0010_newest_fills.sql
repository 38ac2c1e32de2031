-- For pages that ask for the newest fills of all accounts they may read (docs/supabase.md).

create index idx_hl_fills_time on public.hl_fills (fill_time desc);
