/**
 * All of one row: every column with every digit, what belongs to it, and what the venue said. Guarantees: what belongs to a
 * row is read when it is opened; a dialog, so Escape closes it and the focus returns.
 */
import type { ComponentChildren } from "preact";
import { tradeHref } from "./address.ts";
import type { Column } from "./arrange.ts";
import { sideCell, signedCell } from "./cells.tsx";
import { useAnswer } from "./fetching.ts";
import { exact, NOTHING, stamp, usd } from "./format.ts";
import { LISTS, type ListName, type Row } from "./model.ts";

const AGAIN_MS = 60_000;

export function Detail({
  title,
  row,
  columns,
  close,
  children,
}: {
  title: string;
  row: Row;
  columns: Column[];
  close(): void;
  children?: ComponentChildren;
}) {
  return (
    <dialog
      class="detail"
      aria-label={`${title}: one row`}
      ref={(dialog: HTMLDialogElement | null) => {
        if (dialog && !dialog.open) dialog.showModal();
      }}
      onClose={close}
    >
      <div class="panel-head">
        <h2>{title}</h2>
        <span class="spring" />
        <button type="button" class="button" onClick={close}>
          Close
        </button>
      </div>
      <dl class="facts">
        {columns.map((column) => [
          <dt key={`${column.id} name`}>{column.title}</dt>,
          <dd key={column.id} data-fact={column.id}>
            {factOf(column, row)}
          </dd>,
        ])}
      </dl>
      {children}
    </dialog>
  );
}

/** What is held, to its last digit, beside what the table shows of it. */
function factOf(column: Column, row: Row): ComponentChildren {
  const value = column.value(row);
  if (value === null || value === undefined || value === "") return NOTHING;
  const isHash = typeof value === "string" && /^0x[0-9a-f]{15,}$/i.test(value);
  return column.text && !isHash ? (column.show?.(row) ?? String(value)) : String(value);
}

/** What an order went through, and what it was filled with. */
export function OrderDetail({
  account,
  row,
  hasTrip = false,
}: {
  account: string | null;
  row: Row;
  /** The way to the round trip is above already. */
  hasTrip?: boolean;
}) {
  const asked = { account, order_id: row.order_id };
  const events = useAnswer("/api/orders/events", asked, AGAIN_MS).data?.rows;
  const fills = useAnswer("/api/fills", { ...asked, limit: 500 }, AGAIN_MS).data?.rows;
  const first: Row | undefined = fills?.at(-1);
  return (
    <>
      <Part title={`Order ${row.order_id} went through`} rows={events}>
        {(event: Row) => [
          <time>{stamp(event.status_time_ms)}</time>,
          <strong>{event.venue_status ?? event.status}</strong>,
          event.remaining === null ? "" : `${exact(event.remaining)} left`,
        ]}
      </Part>
      <Part title="Filled with" rows={fills}>
        {(fill: Row) => [
          <time>{stamp(fill.fill_time_ms)}</time>,
          [sideCell(fill.side), ` ${exact(fill.size)} at ${exact(fill.price)}`],
          [`fee ${usd(fill.fee, 4)}, closed `, signedCell(fill.closed_pnl)],
        ]}
      </Part>
      {first && !hasTrip ? <TripLink coin={first.coin} atMs={first.fill_time_ms} /> : null}
      <Raw title="What the venue said of the order" text={events?.[0]?.raw} />
    </>
  );
}

/** The order of a fill, its round trip, and the fill as the venue told it. */
export function FillDetail({ account, row }: { account: string | null; row: Row }) {
  return (
    <>
      <TripLink coin={row.coin} atMs={row.fill_time_ms} />
      <OrderDetail account={account} row={row} hasTrip />
      <RawOf list="fills" account={account} row={row} />
    </>
  );
}

const TripLink = ({ coin, atMs }: { coin: string; atMs: number }) => (
  <p class="detail-links">
    <a class="button" href={tradeHref(coin, atMs)}>
      The round trip it belongs to
    </a>
  </p>
);

function Part({
  title,
  rows,
  children,
}: {
  title: string;
  rows: Row[] | undefined;
  children(row: Row): ComponentChildren[];
}) {
  return (
    <>
      <h3>{title}</h3>
      {rows === undefined || rows.length === 0 ? (
        <p class="empty">{rows ? "Nothing" : "Reading…"}</p>
      ) : (
        <ul class="detail-rows">
          {rows.map((row, index) => (
            <li key={String(index)}>
              {children(row).map((cell, at) => (
                <span key={String(at)}>{cell}</span>
              ))}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** A row of a history as the venue told it: read anew, since lists come without. */
export function RawOf({ list, account, row }: { list: ListName; account: string | null; row: Row }) {
  const { path, time, key } = LISTS[list];
  const { data } = useAnswer(
    path,
    { account, from: row[time], before: row[time] + 1, coin: row.coin ?? null, raw: 1, limit: 1_000 },
    AGAIN_MS,
  );
  const found = data?.rows.find((one: Row) => key(one) === key(row));
  return <Raw title="What the venue said of it" text={found?.raw} />;
}

const Raw = ({ title, text }: { title: string; text: string | null | undefined }) =>
  text ? (
    <details class="detail-links">
      <summary class="button">{title}</summary>
      <pre class="raw">{JSON.stringify(JSON.parse(text), null, 1)}</pre>
    </details>
  ) : null;
