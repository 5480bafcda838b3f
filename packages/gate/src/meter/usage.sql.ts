/** The meter's part of a post: usage rows of the calls in `item` that are new, by `added`. It touches no counter. */
export const meterUsage = `
  metered as (
    insert into keyfare.usage (id, rail, account_id, payer, key_id, sku, units, period_start, occurred_at)
    select id, rail, account_id, payer, key_id, sku, units, period_start, occurred_at from item join added using (id))`;
