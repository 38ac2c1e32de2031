-- The rules by which two versions of a row become one. Each is a join: commutative, associative, idempotent. So any
-- order, any repetition and any number of writers give the same rows. The joins themselves are in sql/joins/.
--
-- A row has three kinds of columns:
--   * the key, equal by definition;
--   * the content: always sent. It is taken as one piece from the weightier version (longer raw object, then
--     greater text), so that no row mixes two versions;
--   * what some sources leave out (null): column by column the greatest of the values known.
--   * the sighting, (first_seen_at, source): the lexicographically smallest stays.
--
-- Functions of one expression have SQL-standard bodies: their names are bound when they are made, and they are inlined.

create or replace function hl_internal.weightier(a_raw jsonb, a_content text, b_raw jsonb, b_content text) returns boolean
language sql immutable
return (octet_length(coalesce(b_raw, 'null')::text), b_content collate "C")
       > (octet_length(coalesce(a_raw, 'null')::text), a_content collate "C");
comment on function hl_internal.weightier is 'True when version b of a row wins over version a: longer raw object, then greater content.';

create or replace function hl_internal.greater(a numeric, b numeric) returns numeric
language sql immutable
return case when b is null or a > b or (a = b and scale(a) >= scale(b)) then a else b end;
comment on function hl_internal.greater(numeric, numeric) is 'The greater number; of 1.0 and 1.00 the latter, so that the digits do not depend on the order either.';

create or replace function hl_internal.lesser(a numeric, b numeric) returns numeric
language sql immutable
return case when b is null or a < b or (a = b and scale(a) >= scale(b)) then a else b end;
comment on function hl_internal.lesser is 'The lesser number; of 1.0 and 1.00 the latter.';

create or replace function hl_internal.greater(a text, b text) returns text
language sql immutable
return case when b is null or a collate "C" >= b collate "C" then a else b end;
comment on function hl_internal.greater(text, text) is 'The greater text by bytes.';

create or replace function hl_internal.seen_before(a_at timestamptz, a_source text, b_at timestamptz, b_source text) returns boolean
language sql immutable
return (a_at, a_source collate "C") < (b_at, b_source collate "C");
comment on function hl_internal.seen_before is 'True when sighting a is the first of the two; a tie goes to the alphabetically first source.';
