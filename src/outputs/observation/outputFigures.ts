/** What stands before the outputs and what they did lately, as SQL: one question for the metrics. */
import type { Queryable, Row } from "../../store/database.ts";
import type { Address } from "../../sync/rows.ts";
import { PENDING } from "../delivery/endpoints.ts";

/** What outputs have before them and did lately, for metrics. */
export interface OutputFigures {
  pending: { consumer: string; events: number }[] | null;
  deliveries: { endpoint: string; state: string; count: number }[] | null;
  alerts: { rule: string; state: string; count: number }[] | null;
  endpoints: { endpoint: string; enabled: boolean; failingSinceMs: number | null }[] | null;
  /** Every account that the database knows. */
  drift: { address: Address; unrepaired: number }[] | null;
  quarantine: { subject: string; messages: number }[] | null;
}

/** Subjects of the quarantine that are counted apart. */
const SUBJECTS_MAX = 50;

/** An alert channel that no process has had in its configuration for an hour is no longer served. */
const IS_SERVED = `(e.url is not null or exists (
  select from hl_internal.leases l
  where l.name = 'webhook:' || e.id and l.expires_at > clock_timestamp() - interval '1 hour'))`;

/** Backlogs now, deliveries tried after `sinceMs`, what stands of alerts and drift, and what was not understood. */
export async function readOutputFigures(reads: Queryable, sinceMs: number): Promise<OutputFigures> {
  const [row] = await reads.query<OutputFigures & Row>(
    `select
       (select json_agg(p) from (
          select e.id as consumer, ${PENDING} as events
          from hl_internal.webhook_endpoints e where e.state = 'enabled' and ${IS_SERVED} order by e.id
        ) p) as pending,
       (select json_agg(d) from (
          select endpoint_id as endpoint, status as state, count(*) as count from hl_internal.webhook_deliveries
          where last_attempt_ms >= $1 group by 1, 2 order by 1, 2
        ) d) as deliveries,
       (select json_agg(a) from (
          select rule, state, count(*) as count from public.hl_alerts
          where state in ('pending', 'firing') group by 1, 2 order by 1, 2
        ) a) as alerts,
       (select json_agg(w) from (
          select e.id as endpoint, e.state = 'enabled' as enabled, e.failing_since_ms as "failingSinceMs"
          from hl_internal.webhook_endpoints e where ${IS_SERVED} order by e.id
        ) w) as endpoints,
       (select json_agg(f) from (
          select a.account_address as address, count(d.id) as unrepaired
          from hl_internal.accounts a
          left join hl_internal.drift d on d.account_address = a.account_address and d.repaired_at_ms is null
            and d.found_at_ms > extract(epoch from now() - interval '1 day') * 1000
          group by 1 order by 1
        ) f) as drift,
       (select json_agg(q) from (
          select case when place <= ${SUBJECTS_MAX} then subject else 'other' end as subject,
            sum(messages)::bigint as messages
          from (
            select subject, count(*) as messages, row_number() over (order by count(*) desc, subject) as place
            from hl_internal.quarantine group by subject
          ) counted
          group by 1 order by 1
        ) q) as quarantine`,
    [sinceMs],
  );
  return row!;
}
