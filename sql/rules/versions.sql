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
-- Of two texts the greater by bytes is `greatest(a collate "C", b)`, which passes over a null.
--
-- Every function has a search path of its own, here and elsewhere: Supabase's advisor asks for it of each, whatever its body
-- is. It keeps a function of SQL from being inlined: a call costs 2 µs in PL/pgSQL and 4 in SQL, which also plans it anew. So
-- what is asked for each row is in PL/pgSQL, takes all rows at once, or is an expression of a view.

create or replace function hl_internal.weightier(a_raw jsonb, a_content text, b_raw jsonb, b_content text) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return (octet_length(coalesce(b_raw, 'null')::text), b_content collate "C")
         > (octet_length(coalesce(a_raw, 'null')::text), a_content collate "C");
end
$$;
comment on function hl_internal.weightier is 'True when version b of a row wins over version a: longer raw object, then greater content.';

create or replace function hl_internal.greater(a numeric, b numeric) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return case when b is null or a > b or (a = b and scale(a) >= scale(b)) then a else b end;
end
$$;
comment on function hl_internal.greater is 'The greater number; of 1.0 and 1.00 the latter, so that the digits do not depend on the order either.';

create or replace function hl_internal.lesser(a numeric, b numeric) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return case when b is null or a < b or (a = b and scale(a) >= scale(b)) then a else b end;
end
$$;
comment on function hl_internal.lesser is 'The lesser number; of 1.0 and 1.00 the latter.';

create or replace function hl_internal.seen_before(a_at timestamptz, a_source text, b_at timestamptz, b_source text) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return (a_at, a_source collate "C") < (b_at, b_source collate "C");
end
$$;
comment on function hl_internal.seen_before is 'True when sighting a is the first of the two; a tie goes to the alphabetically first source.';
