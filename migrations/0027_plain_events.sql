-- What an event tells is kept as the text that was made of it: reading it into jsonb took longer than all else of putting it
-- there, and nobody asks for a part of it but by ->>.
alter table hl_internal.outbox alter column data type json using data::json;

-- It gets one argument more.
drop function if exists hl_internal.apply(
  text[], json, json, json, json, json, json, json, json, json, json, json, json, json, json, json, json, json);
