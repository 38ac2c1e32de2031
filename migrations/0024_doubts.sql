-- A process that follows an account learns that `verify`, in another process, took back a part that has no coverage.
alter table hl_internal.accounts add column doubted_ms bigint;
comment on column hl_internal.accounts.doubted_ms is 'When verify last found that a list or state of the account beside its money differs from the venue, Unix milliseconds: it is asked for again. Grows with every such finding.';
