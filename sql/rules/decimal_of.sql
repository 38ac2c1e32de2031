-- Decimals inside the venue's objects. What is no plain decimal (or is beyond any amount) is unknown, never an error: the
-- row that carries it is stored all the same.

create or replace function hl_internal.decimal_of(told text) returns numeric
language plpgsql immutable parallel safe strict set search_path = '' as $$
begin
  return case when told ~ '^-?[0-9]{1,40}(\.[0-9]{1,40})?$' then told::numeric end;
end
$$;
comment on function hl_internal.decimal_of is 'The number that a text of the venue''s is; null when it is none.';

create or replace function hl_internal.time_of(told text) returns timestamptz
language plpgsql immutable parallel safe strict set search_path = '' as $$
begin
  return case when told ~ '^[0-9]{12,13}$' then to_timestamp(told::bigint / 1000.0) end;
end
$$;
comment on function hl_internal.time_of is 'The time that Unix milliseconds of the venue''s are; null when they are none of this age.';

create or replace function hl_internal.no_money(delta jsonb) returns numeric
language sql immutable parallel safe set search_path = ''
return case when jsonb_typeof(delta) = 'object' and not jsonb_path_exists(delta, '$.* ? (@.type() == "string" && @ like_regex "^-?[0-9]*[.]?[0-9]+$" && !(@ like_regex "^-?[0.]+$"))')
  then 0 end;
comment on function hl_internal.no_money is '0 when an update whose type is not known tells no amount of anything, null when it may have moved money: the venue writes amounts as text, other numbers as numbers.';
