-- Subscriptions are shared by the workers of an egress, as connections are.

alter table hl_internal.workers
  add column subscriptions integer not null default 0,
  add column subscribed integer not null default 0;
comment on column hl_internal.workers.subscriptions is 'Subscriptions that it may have.';
comment on column hl_internal.workers.subscribed is 'Subscriptions that it has.';

drop function if exists hl_internal.egress_share(text, text[], integer, integer, integer, integer);
