/**
 * What the journals of operators' resolutions should come to: `source`, `account`, `asset`, `amount`, debits positive.
 * One that was undone comes to nothing, and explains no journal.
 */
export const expectedResolutions = `
  select 'break:' || r.break_id || '#' || r.nth as source, line.account, r.asset,
    case r.state when 'posted' then line.sign * r.amount else 0 end as amount
  from billing.break_resolution r
  cross join lateral (values (r.debit, 1), (r.credit, -1)) as line (account, sign)
  where r.amount is not null and r.state in ('posted', 'undone')`;
