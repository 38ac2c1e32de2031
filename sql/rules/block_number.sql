-- A transaction hash of the venue is: 10 bytes, 04, the block number as four bytes, then a length and the number of the
-- action in its block (public.hl_fill_pnl reads it), and more. Hashes of the bridge are another chain's; system rows and fundings have zeros.

create or replace function hl_internal.block_number(hash text) returns bigint
language plpgsql immutable parallel safe strict set search_path = '' as $$
begin
  return case when substr(hash, 23, 10) ~ '^04[0-9a-fA-F]{8}$' then ('x' || substr(hash, 25, 8))::bit(32)::bigint end;
end
$$;
comment on function hl_internal.block_number is 'Block of a transaction by its hash; null where the hash tells none.';

create or replace function hl_internal.ledger_block(type text, hash text) returns bigint
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return case when type not in ('deposit', 'withdraw') then hl_internal.block_number(hash) end;
end
$$;
comment on function hl_internal.ledger_block is 'Block of a ledger update: deposits and withdrawals have the hash of the bridge''s transaction.';
