-- Alerts: what is wrong now, what was, and what the user does not want to hear of.

create table public.hl_alerts (
  id bigint generated always as identity primary key,
  key text not null,
  rule text not null,
  account_address text,
  coin text,
  subject text,
  state text not null check (state in ('pending', 'firing', 'resolved', 'event')),
  severity text not null check (severity in ('info', 'warn', 'crit')),
  message text not null,
  value numeric,
  threshold numeric,
  started_at timestamptz not null,
  fired_at timestamptz,
  notified_severity text,
  notified_at timestamptz,
  resolved_at timestamptz,
  updated_at timestamptz not null default now()
);
create unique index idx_hl_alerts_active on public.hl_alerts (key) where state in ('pending', 'firing');
create unique index idx_hl_alerts_event on public.hl_alerts (key) where state = 'event';
create index idx_hl_alerts_account on public.hl_alerts (account_address, updated_at desc);
create index idx_hl_alerts_notified on public.hl_alerts (key, notified_at desc) where notified_at is not null;
comment on table public.hl_alerts is 'One row per alert: a condition from its beginning to its end, or one event.';
comment on column public.hl_alerts.id is 'Number.';
comment on column public.hl_alerts.key is 'rule:account:coin:subject; at most one condition per key at a time, an event only ever once.';
comment on column public.hl_alerts.rule is 'Rule, as `hlsync alerts rules` lists them.';
comment on column public.hl_alerts.account_address is 'Account; null where there is none.';
comment on column public.hl_alerts.coin is 'Coin; null where there is none.';
comment on column public.hl_alerts.subject is 'What else it is about: the order of a fill, the stream of a gap.';
comment on column public.hl_alerts.state is 'pending (seen, not for long enough), firing, resolved, or event (nothing to resolve).';
comment on column public.hl_alerts.severity is 'info, warn or crit.';
comment on column public.hl_alerts.message is 'What, how much, threshold, age.';
comment on column public.hl_alerts.value is 'Value last seen.';
comment on column public.hl_alerts.threshold is 'Threshold it is held against.';
comment on column public.hl_alerts.started_at is 'When it was first seen.';
comment on column public.hl_alerts.fired_at is 'When it began to fire.';
comment on column public.hl_alerts.notified_severity is 'Severity of the last notice, or a milder one since, once the cooldown was over; null without a notice (silenced, or pending).';
comment on column public.hl_alerts.notified_at is 'Time of the last notice.';
comment on column public.hl_alerts.resolved_at is 'When it was over.';
comment on column public.hl_alerts.updated_at is 'Last change of this row.';

create table hl_internal.silences (
  id bigint generated always as identity primary key,
  rule text,
  account_address text,
  coin text,
  until_ms bigint not null,
  created_at timestamptz not null default now()
);
comment on table hl_internal.silences is 'What gives no notice for a while. Conditions go on being followed.';
comment on column hl_internal.silences.id is 'Number.';
comment on column hl_internal.silences.rule is 'Rule; null for all.';
comment on column hl_internal.silences.account_address is 'Account; null for all.';
comment on column hl_internal.silences.coin is 'Coin; null for all.';
comment on column hl_internal.silences.until_ms is 'End, Unix milliseconds.';
comment on column hl_internal.silences.created_at is 'When it was made.';

-- Gaps are published whatever the rules of alerts say, so this is kept apart from alerts.
create table hl_internal.gaps_published (
  account_address text not null,
  stream text not null,
  opened_at_ms bigint not null,
  primary key (account_address, stream)
);
comment on table hl_internal.gaps_published is 'Gaps for which gap.opened was published and gap.closed was not yet.';
comment on column hl_internal.gaps_published.account_address is 'Account.';
comment on column hl_internal.gaps_published.stream is 'The history in which something is missing.';
comment on column hl_internal.gaps_published.opened_at_ms is 'When gap.opened was published, Unix milliseconds.';
