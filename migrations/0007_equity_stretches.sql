-- Profit, peaks and drawdowns of all snapshots, kept as they come: whoever asks for the drawdown reads one row, for a year
-- of net worth an hour per row, not half a million snapshots.
--
-- A stretch is a run of snapshots of one hour between which nothing flowed and the net worth stayed positive (or stayed not).
-- Snapshots without a net worth are in none. In a stretch profit and net worth differ by a constant, so that what every
-- snapshot of it means follows from a few numbers, exactly, whatever came before. Its shape is counted from its own snapshots; what it adds up to (net_flows, profit, peak, deepest)
-- from the stretch before. A deposit that is learned late changes the shape of one hour, and the sums behind it.

create table hl_internal.equity_stretches (
  account_address text not null,
  first_ms bigint not null,
  last_ms bigint not null,
  snapshots integer not null,
  flow numeric,
  gain numeric not null,
  high_gain numeric not null,
  low_gain numeric not null,
  low_value numeric not null,
  close_value numeric not null,
  close_unrealized_pnl numeric not null,
  fallen numeric not null,
  fallen_pct numeric,
  net_flows numeric not null default 0,
  profit numeric not null default 0,
  peak_before numeric,
  peak_profit numeric not null default 0,
  drawdown numeric not null default 0,
  drawdown_pct numeric,
  max_drawdown numeric not null default 0,
  max_drawdown_pct numeric,
  deepest numeric not null default 0,
  deepest_pct numeric,
  is_known boolean not null default true,
  close_account_value numeric,
  primary key (account_address, first_ms)
);
comment on table hl_internal.equity_stretches is 'hl_equity by stretches: runs of snapshots of one hour without a flow between them. Kept by triggers on hl_dashboard and hl_ledger.';
comment on column hl_internal.equity_stretches.account_address is 'Account.';
comment on column hl_internal.equity_stretches.first_ms is 'The venue''s time of its first snapshot, Unix milliseconds.';
comment on column hl_internal.equity_stretches.last_ms is 'Of its last snapshot.';
comment on column hl_internal.equity_stretches.snapshots is 'Number of snapshots.';
comment on column hl_internal.equity_stretches.flow is 'What flowed between the snapshot before it and its first one; null when that is not known: then the sums are as if nothing had been gained in that step.';
comment on column hl_internal.equity_stretches.gain is 'Profit from the snapshot before it to its last one.';
comment on column hl_internal.equity_stretches.high_gain is 'Highest profit in it, counted from the snapshot before it.';
comment on column hl_internal.equity_stretches.low_gain is 'Lowest profit in it, counted so.';
comment on column hl_internal.equity_stretches.low_value is 'Net worth where the profit was lowest.';
comment on column hl_internal.equity_stretches.close_value is 'Net worth of its last snapshot.';
comment on column hl_internal.equity_stretches.close_unrealized_pnl is 'Unrealised profit of its last snapshot.';
comment on column hl_internal.equity_stretches.fallen is 'Deepest drawdown from a peak inside of it.';
comment on column hl_internal.equity_stretches.fallen_pct is 'Deepest one in percent, from a peak inside of it; null without a positive net worth.';
comment on column hl_internal.equity_stretches.net_flows is 'Sum of the flows since the first snapshot of the account.';
comment on column hl_internal.equity_stretches.profit is 'Profit of its last snapshot, as in hl_equity.';
comment on column hl_internal.equity_stretches.peak_before is 'Highest profit before it; null in the first one.';
comment on column hl_internal.equity_stretches.peak_profit is 'Highest profit up to its end.';
comment on column hl_internal.equity_stretches.drawdown is 'Drawdown of its last snapshot.';
comment on column hl_internal.equity_stretches.drawdown_pct is 'The same in percent; null without a positive net worth at the peak.';
comment on column hl_internal.equity_stretches.max_drawdown is 'Deepest drawdown of a snapshot in it.';
comment on column hl_internal.equity_stretches.max_drawdown_pct is 'Deepest one in percent.';
comment on column hl_internal.equity_stretches.deepest is 'Deepest drawdown of any snapshot up to its end.';
comment on column hl_internal.equity_stretches.deepest_pct is 'Deepest one in percent.';
comment on column hl_internal.equity_stretches.is_known is 'False when a flow up to its end is not known: then no sum since the first snapshot is.';
comment on column hl_internal.equity_stretches.close_account_value is 'account_value of its last snapshot.';
