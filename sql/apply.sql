-- The one entrance for all writes. Each table has its own function, sql/put/: it puts the rows of a batch in, as joins, and
-- says what became of them.
--
-- `on conflict do update` may touch a row once per statement, so a batch that holds a key twice is put in rounds: all
-- first occurrences, then all second ones. Nearly every batch takes one round. A row is written only when the join
-- changes it (*<> compares the images of rows, so 1.0 and 1.00 differ): a repeated batch writes nothing.
-- Callers hold the lock on the accounts, so what a statement reads cannot change before the transaction ends.
--
-- What a write runs is planned once per connection. Its plans do not depend on what is written: rows are found by key,
-- through indexes, however many there are. Planning anew at every call took longer than everything else in it.
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
  versions json default null
) returns json
language plpgsql set search_path = '' set lock_timeout = '20s' set plan_cache_mode = force_generic_plan as $$
declare
  outcome hl_internal.outcome;
  orders_of text[] := '{}';
  order_ids bigint[] := '{}';
  events hl_internal.event[] := '{}';
  written jsonb := '{}';
  known jsonb := '{}';
  published json;
  lacking jsonb := '[]';
  news_ms bigint;
  item record;
begin
  perform hl_internal.lock_accounts(accounts);

  for item in
    select * from (values
      ('hl_fills', 'put_fills', fills),
      ('hl_order_events', 'put_order_events', order_events),
      ('hl_positions', 'put_positions', positions),
      ('hl_balances', 'put_balances', balances),
      ('hl_funding', 'put_funding', funding),
      ('hl_ledger', 'put_ledger', ledger),
      ('hl_dashboard', 'put_dashboard', dashboard),
      ('coverage', 'put_coverage', coverage),
      ('drift', 'put_drift', drift),
      ('quarantine', 'put_quarantine', quarantine),
      ('hl_trades', 'put_trades', trades),
      ('hl_candles', 'put_candles', candles),
      ('hl_mids', 'put_mids', mids),
      ('hl_books', 'put_books', books),
      ('hl_asset_ctxs', 'put_asset_ctxs', asset_ctxs)
    ) as v(name, put, rows)
    where v.rows is not null
  loop
    execute format('select * from hl_internal.%I($1)', item.put) into outcome using item.rows;
    if not outcome.accounts <@ accounts then
      raise exception 'batch writes % without naming all of its accounts', item.name;
    end if;
    written := written || jsonb_build_object(item.name, outcome.written);
    known := known || jsonb_build_object(item.name, outcome.sent - outcome.written);
    if cardinality(outcome.order_ids) > 0 then
      orders_of := orders_of || outcome.accounts;
      order_ids := order_ids || outcome.order_ids;
    end if;
    events := events || outcome.events;
  end loop;

  for item in select key as name, value as rows from json_each(versions) loop
    outcome := hl_internal.put_versions(item.name, item.rows);
    if not outcome.accounts <@ accounts then
      raise exception 'batch writes % without naming all of its accounts', item.name;
    end if;
    written := written || jsonb_build_object(item.name, outcome.written);
    known := known || jsonb_build_object(item.name, outcome.sent - outcome.written);
  end loop;

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
    news_ms := hl_internal.news_since();
    with told as materialized (
      select e.*, hl_internal.is_news(e.type, e.source, e.time_ms, news_ms) as is_news
      from unnest(events) with ordinality as e(event_key, type, account_address, time_ms, source, data, place)
    ),
    put as (
      insert into hl_internal.outbox (event_key, type, account_address, time_ms, source, data)
      select e.event_key, e.type, e.account_address, e.time_ms, e.source, e.data::jsonb from told e where e.is_news
      order by e.place
      returning id
    ),
    -- Ids come in the order of the events; the answer takes their data as it was before it became jsonb.
    numbered as (select id, row_number() over (order by id) as nth from put),
    placed as (select e.place, row_number() over (order by e.place) as nth from told e where e.is_news)
    select json_agg(row_to_json(event) order by e.place) into published
    from told e left join placed p on p.place = e.place left join numbered n on n.nth = p.nth
    cross join lateral (
      select n.id::text, e.event_key as key, e.type, e.account_address as account, e.time_ms as "timeMs", e.source, e.data
    ) event;
  end if;

  return json_build_object(
    'events', coalesce(published, '[]'), 'written', written, 'known', known, 'lacking', lacking);
end
$$;
comment on function hl_internal.apply is 'Writes a batch: every row as a join, the orders derived from them, coverage and outbox events, in one transaction. accounts: every account the batch has rows of, to be locked. Lists are arguments of their own because each pass over the text of a big batch costs; versions: the rows of tables that are put by put_versions, by table.';
