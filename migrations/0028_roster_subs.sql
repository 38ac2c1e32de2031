-- An account of the roster may stand for its sub-accounts and the vaults that it leads too.

alter table hl_internal.roster add column with_subs boolean not null default false;
comment on column hl_internal.roster.with_subs is 'Whether its sub-accounts and the vaults that it leads are followed with it.';
