-- When the wanted history of an account was once read whole, so that `verify` tells a first reading that has not come to its end from a loss.
alter table hl_internal.accounts add column read_since_ms bigint;
comment on column hl_internal.accounts.read_since_ms is 'Start of the history that was once read whole, Unix milliseconds; null before the first reading came to its end. Only ever moves earlier.';
