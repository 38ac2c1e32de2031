-- New connections a minute are shared by the workers of an egress, as REST weight is.

alter table hl_internal.workers
  add column dials integer not null default 0,
  add column dialled integer not null default 0;
comment on column hl_internal.workers.dials is 'New connections a minute that it may open.';
comment on column hl_internal.workers.dialled is 'New connections that it opened in the last minute.';

drop function if exists hl_internal.egress_share(text, text[], integer, integer, integer);
