import type { Sql } from '@keyfare/db/sql';
import { movedCharges } from '../billed-charges.js';
import { endOfPeriod } from '../billing-periods.js';
import { openAdjustments } from '../open-adjustments.js';
import { servedMonths } from '../served-months.js';

/** A period of an account, by a time in it, whose draft is to be drawn up. */
export interface DueDraft {
  readonly account: string;
  readonly at: Date;
}

/**
 * What is to be drawn up at `now`: of every period that is over, the drafts that are missing or have not all the
 * charges and terms that the books hold by now. So a night that nobody was there for is made up for, a call that was
 * read late is on the next draft, and what did not change costs nothing. An account without a call, a price, a commit
 * and an adjustment has none. An account whose contract has ended gets its last draft as soon as the log has been read
 * past the end, in the running period. What is no draft any more is left alone.
 */
export async function readDueDrafts(sql: Sql, now: Date): Promise<readonly DueDraft[]> {
  return sql.query<DueDraft>({ text: dueDrafts, values: [now] });
}

// Months are counted without a time zone, for a session's own could be any; midnight of both is UTC's.
const dueDrafts = `
  with ${servedMonths('$1::timestamptz')},
  ${movedCharges()},
  ${openAdjustments()},
  adjusted as (
    select account, month as period_start from adjusting where month <= $1 and "left" > 0 group by account, month),
  charged as (
    select account, period_start, sum(calls) as receipts from (
      select account, billed_in as period_start, calls from billing.charge_day where rail = 'key' and billed_in <= $1
      union all
      select account, month, 1 from moved where month <= $1
      union all
      select account, used_in, -1 from moved) as counted
    group by account, period_start)
  select m.account, m.period_start as at
  from (select account, period_start, coalesce(receipts, 0) as receipts,
      coalesce(priced, false) as priced, adjusted is not null as adjusted
    from served full join charged using (account, period_start)
    full join adjusted using (account, period_start)) as m
  left join billing.invoice i on i.account = m.account and i.period_start = m.period_start and i.state <> 'void'
  left join ended on ended.account = m.account
  cross join lateral (select ${endOfPeriod('m.account', 'm.period_start')} as period_end) as ends
  cross join lateral (
    select count(*) as terms from billing.terms b
    where b.account = m.account and b.effective_at < ends.period_end) as book
  cross join lateral (
    select coalesce((
      select k.amount > 0 from billing.contract c join billing.contract_commit k on k.contract_id = c.id
      where c.account = m.account and k.valid_from <= m.period_start and coalesce(c.ends_at, 'infinity') > m.period_start
        and c.starts_at < ends.period_end
      order by c.starts_at desc, k.valid_from desc limit 1), false) as committed) as agreed
  where coalesce(i.state, 'draft') = 'draft' and (ends.period_end <= $1 or ended.account is not null)
    and (i.id is not null or m.receipts > 0 or m.priced or m.adjusted or agreed.committed)
    and (i.id is null or i.receipts <> m.receipts or i.terms <> book.terms or i.period_end <> ends.period_end)
  order by m.period_start, m.account`;
