-- A replay is what the user asked for: it is sent whatever its age, so a lane knows up to where it goes.

alter table hl_internal.webhook_lanes add column replay_to_id bigint;
comment on column hl_internal.webhook_lanes.replay_to_id is 'Outbox id up to which events are sent because a replay asked for them, however old they are; null before the first replay.';
