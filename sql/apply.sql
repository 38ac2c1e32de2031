-- The one entrance for all writes. Each table has its own function, sql/put/: it puts the rows of a batch in, as joins, and
-- says what became of them.
--
-- `on conflict do update` may touch a row once per statement, so a batch that holds a key twice is put in rounds: all
-- first occurrences, then all second ones. Nearly every batch takes one round. A row is written only when the join
-- changes it (*<> compares the images of rows, so 1.0 and 1.00 differ): a repeated batch writes nothing.
-- Callers hold the lock on the accounts, so what a statement reads cannot change before the transaction ends.
--
-- What a write runs is planned once per connection. Its plans do not depend on what is written: rows are found by key,
-- through indexes, however many there are. Planning anew at every call took longer than everything else in it; so would
-- compiling such a plan (jit), whose costs say nothing of how few rows it meets.
--
-- Locks come in one order in every transaction: accounts by address, then partitions. So writers of one account wait for
-- each other, never in a circle, and those of different accounts not at all: the disk takes their commits together. A
-- writer that waits longer than lock_timeout fails and tries again.
--
-- Outbox ids are taken under the lock of the account: they are committed in order within an account, not between
-- accounts. A reader therefore keeps one cursor per account (src/outputs/outbox.ts). History that a reading back finds is
-- answered, but not put there (sql/events.sql): a first sync would fill it with what nothing follows.

create or replace function hl_internal.apply(
  accounts text[],
  fills json default null,
  order_events json default null,
  positions json default null,
  balances json default null,
  funding json default null,
  ledger json default null,
  dashboard json default null,
  coverage json default null,
  drift json default null,
  quarantine json default null,
  trades json default null,
  candles json default null,
  mids json default null,
  books json default null,
  asset_ctxs json default null,
  states json default null,
  versions json default null,
  by_column boolean default false
) returns json
language plpgsql set search_path = '' set lock_timeout = '20s' set plan_cache_mode = force_generic_plan set jit = off as $$
declare
  tables text[] := '{}';
  outcomes hl_internal.outcome[] := '{}';
  outcome hl_internal.outcome;
  orders_of text[] := '{}';
  order_ids bigint[] := '{}';
  events hl_internal.event[] := '{}';
  written jsonb := '{}';
  known jsonb := '{}';
  published json;
  lacking jsonb := '[]';
  item record;
begin
  perform hl_internal.lock_accounts(accounts);

  if fills is not null then
    tables := tables || text 'hl_fills'; outcomes := outcomes || hl_internal.put_fills(fills);
  end if;
  if order_events is not null then
    tables := tables || text 'hl_order_events'; outcomes := outcomes || hl_internal.put_order_events(order_events);
  end if;
  if positions is not null then
    tables := tables || text 'hl_positions'; outcomes := outcomes || hl_internal.put_positions(positions);
  end if;
  if balances is not null then
    tables := tables || text 'hl_balances'; outcomes := outcomes || hl_internal.put_balances(balances);
  end if;
  if funding is not null then
    tables := tables || text 'hl_funding'; outcomes := outcomes || hl_internal.put_funding(funding);
  end if;
  if ledger is not null then
    tables := tables || text 'hl_ledger'; outcomes := outcomes || hl_internal.put_ledger(ledger);
  end if;
  if dashboard is not null then
    tables := tables || text 'hl_dashboard'; outcomes := outcomes || hl_internal.put_dashboard(dashboard);
  end if;
  if coverage is not null then
    tables := tables || text 'coverage'; outcomes := outcomes || hl_internal.put_coverage(coverage);
  end if;
  if drift is not null then
    tables := tables || text 'drift'; outcomes := outcomes || hl_internal.put_drift(drift);
  end if;
  if quarantine is not null then
    tables := tables || text 'quarantine'; outcomes := outcomes || hl_internal.put_quarantine(quarantine);
  end if;
  if trades is not null then
    tables := tables || text 'hl_trades'; outcomes := outcomes || hl_internal.put_trades(trades);
  end if;
  if candles is not null then
    tables := tables || text 'hl_candles'; outcomes := outcomes || hl_internal.put_candles(candles);
  end if;
  if mids is not null then
    tables := tables || text 'hl_mids'; outcomes := outcomes || hl_internal.put_mids(mids);
  end if;
  if books is not null then
    tables := tables || text 'hl_books'; outcomes := outcomes || hl_internal.put_books(books);
  end if;
  if asset_ctxs is not null then
    tables := tables || text 'hl_asset_ctxs'; outcomes := outcomes || hl_internal.put_asset_ctxs(asset_ctxs);
  end if;

  for n in 1 .. cardinality(tables) loop
    outcome := outcomes[n];
    if not outcome.accounts <@ accounts then
      raise exception 'batch writes % without naming all of its accounts', tables[n];
    end if;
    written := written || jsonb_build_object(tables[n], outcome.written);
    known := known || jsonb_build_object(tables[n], outcome.sent - outcome.written);
    if cardinality(outcome.order_ids) > 0 then
      orders_of := orders_of || outcome.accounts;
      order_ids := order_ids || outcome.order_ids;
    end if;
    events := events || outcome.events;
  end loop;

  if versions is not null then
    for item in select key as name, value as rows from json_each(versions) loop
      outcome := hl_internal.put_versions(item.name, item.rows);
      if not outcome.accounts <@ accounts then
        raise exception 'batch writes % without naming all of its accounts', item.name;
      end if;
      written := written || jsonb_build_object(item.name, outcome.written);
      known := known || jsonb_build_object(item.name, outcome.sent - outcome.written);
    end loop;
  end if;

  -- After all rows: what a state no longer holds is judged by the fills that came with it.
  if states is not null then
    select * into item from hl_internal.put_states(states);
    outcome := item.outcome;
    lacking := item.lacking;
    if not outcome.accounts <@ accounts then
      raise exception 'batch writes states without naming all of its accounts';
    end if;
    written := written || jsonb_build_object('states', outcome.written);
    known := known || jsonb_build_object('states', outcome.sent);
    events := events || outcome.events;
  end if;

  if cardinality(order_ids) > 0 then
    outcome := hl_internal.refresh_orders(orders_of, order_ids);
    written := written || jsonb_build_object('hl_orders', outcome.written);
    known := known || jsonb_build_object('hl_orders', outcome.sent - outcome.written);
    events := events || outcome.events;
  end if;

  if cardinality(events) > 0 then
    with told as materialized (
      select case when e.is_news then nextval('hl_internal.outbox_id_seq') end as id, e.*
      from unnest(events, hl_internal.news(events))
        as e(event_key, type, account_address, time_ms, source, data, is_news)
    ),
    put as (
      insert into hl_internal.outbox (id, event_key, type, account_address, time_ms, source, data)
      overriding system value
      select t.id, t.event_key, t.type, t.account_address, t.time_ms, t.source, t.data from told t
      where t.id is not null
    )
    select json_build_object('id', json_agg(t.id::text), 'key', json_agg(t.event_key), 'type', json_agg(t.type),
      'account', json_agg(t.account_address), 'timeMs', json_agg(t.time_ms), 'source', json_agg(t.source),
      'data', json_agg(t.data)) into published
    from told t;
  end if;

  -- Programs of before ask for a list of objects.
  if not by_column then
    published := (select json_agg(json_build_object('id', t.id, 'key', t.key, 'type', t.type, 'account', t.account,
      'timeMs', t.time_ms, 'source', t.source, 'data', t.data))
    from rows from (json_array_elements_text(published -> 'id'), json_array_elements_text(published -> 'key'),
      json_array_elements_text(published -> 'type'), json_array_elements_text(published -> 'account'),
      json_array_elements(published -> 'timeMs'), json_array_elements_text(published -> 'source'),
      json_array_elements(published -> 'data')) as t(id, key, type, account, time_ms, source, data));
  end if;
  return json_build_object(
    'events', coalesce(published, (case when by_column then '{}' else '[]' end)::json), 'written', written, 'known', known, 'lacking', lacking);
end
$$;
comment on function hl_internal.apply is 'Writes a batch: every row as a join, the orders derived from them, coverage and outbox events, in one transaction. accounts: every account the batch has rows of, to be locked. Lists are arguments of their own because each pass over the text of a big batch costs; versions: the rows of tables that are put by put_versions, by table.';
