-- Deliveries of outbox events to endpoints. Each endpoint reads each account's events in the order of their ids, one at
-- a time: what is still to be delivered is a cursor, and the event it stands before has the attempts.

create table hl_internal.webhook_endpoints (
  id text primary key,
  url text,
  format text not null,
  events text[] not null,
  accounts text[],
  description text,
  allow_private boolean not null default false,
  max_age_ms bigint,
  since_ms bigint not null,
  state text not null default 'enabled' check (state in ('enabled', 'disabled')),
  disabled_reason text,
  disabled_at_ms bigint,
  failing_since_ms bigint,
  created_at timestamptz not null default now()
);
comment on table hl_internal.webhook_endpoints is 'Who is told of committed changes: webhooks that were added, and the alert channels of the configuration.';
comment on column hl_internal.webhook_endpoints.id is 'Name of the endpoint.';
comment on column hl_internal.webhook_endpoints.url is 'Where to post; often a secret. Null for an alert channel: its address stays in the configuration.';
comment on column hl_internal.webhook_endpoints.format is 'standard, cloudevents, discord or slack; for an alert channel its kind.';
comment on column hl_internal.webhook_endpoints.events is 'Event types wanted: fill.created, fill.* or *.';
comment on column hl_internal.webhook_endpoints.accounts is 'Accounts wanted; null for all.';
comment on column hl_internal.webhook_endpoints.description is 'Words of the user.';
comment on column hl_internal.webhook_endpoints.allow_private is 'Whether private addresses and plain http are allowed.';
comment on column hl_internal.webhook_endpoints.max_age_ms is 'Events older than this are not delivered any more; null for no limit.';
comment on column hl_internal.webhook_endpoints.since_ms is 'Only events that happened after this, Unix milliseconds.';
comment on column hl_internal.webhook_endpoints.state is 'enabled or disabled.';
comment on column hl_internal.webhook_endpoints.disabled_reason is 'Why it is disabled.';
comment on column hl_internal.webhook_endpoints.disabled_at_ms is 'Since when, Unix milliseconds.';
comment on column hl_internal.webhook_endpoints.failing_since_ms is 'First failure after the last success, Unix milliseconds; null while it works.';
comment on column hl_internal.webhook_endpoints.created_at is 'When it was added.';

create table hl_internal.webhook_secrets (
  endpoint_id text not null references hl_internal.webhook_endpoints on delete cascade,
  secret text not null,
  created_at timestamptz not null default now(),
  expires_at_ms bigint,
  primary key (endpoint_id, secret)
);
comment on table hl_internal.webhook_secrets is 'Signing secrets, apart from the endpoints so that reading those shows none.';
comment on column hl_internal.webhook_secrets.endpoint_id is 'Endpoint.';
comment on column hl_internal.webhook_secrets.secret is 'whsec_ and base64.';
comment on column hl_internal.webhook_secrets.created_at is 'When it was made.';
comment on column hl_internal.webhook_secrets.expires_at_ms is 'Deliveries are signed with it until then, Unix milliseconds; null for the present one.';

create table hl_internal.webhook_lanes (
  endpoint_id text not null references hl_internal.webhook_endpoints on delete cascade,
  account_address text not null,
  cursor_id bigint not null,
  attempts integer not null default 0,
  next_attempt_ms bigint,
  replay_to_id bigint,
  primary key (endpoint_id, account_address)
);
comment on table hl_internal.webhook_lanes is 'How far each endpoint has been told of each account.';
comment on column hl_internal.webhook_lanes.endpoint_id is 'Endpoint.';
comment on column hl_internal.webhook_lanes.account_address is 'Account; empty for events that belong to none.';
comment on column hl_internal.webhook_lanes.cursor_id is 'Outbox id up to which everything is settled: delivered, given up or not wanted.';
comment on column hl_internal.webhook_lanes.attempts is 'Failed attempts at the next event.';
comment on column hl_internal.webhook_lanes.next_attempt_ms is 'Not to be tried before this, Unix milliseconds; null for at once.';
comment on column hl_internal.webhook_lanes.replay_to_id is 'Outbox id up to which events are sent because a replay asked for them, however old they are; null before the first replay.';

create table hl_internal.webhook_deliveries (
  endpoint_id text not null references hl_internal.webhook_endpoints on delete cascade,
  webhook_id text not null,
  outbox_id bigint not null,
  account_address text not null,
  type text not null,
  event_time_ms bigint not null,
  status text not null check (status in ('retrying', 'delivered', 'dead', 'expired')),
  attempts integer not null,
  status_code integer,
  error text,
  first_attempt_ms bigint not null,
  last_attempt_ms bigint not null,
  duration_ms integer,
  event jsonb,
  primary key (endpoint_id, webhook_id)
);
create index idx_webhook_deliveries_time on hl_internal.webhook_deliveries (last_attempt_ms);
comment on table hl_internal.webhook_deliveries is 'What became of each event at each endpoint; dead and expired ones are kept whole.';
comment on column hl_internal.webhook_deliveries.endpoint_id is 'Endpoint.';
comment on column hl_internal.webhook_deliveries.webhook_id is 'The webhook-id header, made from the identity of the event.';
comment on column hl_internal.webhook_deliveries.outbox_id is 'Event in the outbox.';
comment on column hl_internal.webhook_deliveries.account_address is 'Account; empty for none.';
comment on column hl_internal.webhook_deliveries.type is 'Type of the event.';
comment on column hl_internal.webhook_deliveries.event_time_ms is 'When it happened, Unix milliseconds.';
comment on column hl_internal.webhook_deliveries.status is 'retrying, delivered, dead (given up) or expired (too old to be of use).';
comment on column hl_internal.webhook_deliveries.attempts is 'Attempts made.';
comment on column hl_internal.webhook_deliveries.status_code is 'HTTP status of the last answer; null without one.';
comment on column hl_internal.webhook_deliveries.error is 'Why the last attempt failed.';
comment on column hl_internal.webhook_deliveries.first_attempt_ms is 'First attempt, Unix milliseconds.';
comment on column hl_internal.webhook_deliveries.last_attempt_ms is 'Last attempt, Unix milliseconds.';
comment on column hl_internal.webhook_deliveries.duration_ms is 'How long the last attempt took.';
comment on column hl_internal.webhook_deliveries.event is 'The event, for dead and expired ones.';
