-- The lock that orders all writing of an account.

create or replace function hl_internal.lock_accounts(accounts text[]) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
  -- One that is known, as nearly always.
  if cardinality(accounts) = 1 then
    perform from hl_internal.accounts a where a.account_address = accounts[1] for update;
    if found then return; end if;
  end if;
  insert into hl_internal.accounts (account_address)
  select a from unnest(accounts) a
  where not exists (select from hl_internal.accounts k where k.account_address = a)
  order by a
  on conflict do nothing;
  perform from hl_internal.accounts a where a.account_address = any (accounts)
  order by a.account_address for update;
end
$$;
comment on function hl_internal.lock_accounts is 'Locks accounts until the end of the transaction, always in one order; adds those not known yet. Writers of one account take turns, so the ids of its outbox events are committed in their order.';
