-- The words of the venue for the state of an order.

create or replace function hl_internal.order_status(venue_status text) returns text
language plpgsql immutable set search_path = '' as $$
begin
  return case
      when venue_status = 'filled' then 'filled'
      when venue_status like '%Canceled' or venue_status in ('canceled', 'scheduledCancel', 'internalCancel') then 'canceled'
      when venue_status like '%Rejected' or venue_status = 'rejected' then 'rejected'
      when venue_status in ('open', 'accepted') then 'open'
      when venue_status = 'triggered' then 'triggered'
      else 'unknown'
    end;
end
$$;
comment on function hl_internal.order_status is 'What the venue''s status word means. The set is open, so words are classified by their ending.';
