-- A trigger of the user's that answers null leaves a row out without an error; what was read would then be claimed, and not be
-- there. So whoever puts rows of history into such a table looks for them, and the committer quarantines the one that is missing.

create or replace function hl_internal.may_drop(told regclass) returns boolean
language sql stable set search_path = ''
begin atomic
  -- 7: for each row, before, on insert.
  select exists (select from pg_catalog.pg_trigger t where t.tgrelid = may_drop.told and not t.tgisinternal and t.tgtype & 7 = 7);
end;
comment on function hl_internal.may_drop is 'Whether a table has a trigger that can leave rows out without a word.';
