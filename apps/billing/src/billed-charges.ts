/**
 * Common table expressions that say on which period's invoice each charge by key stands: `billed`, each charge once,
 * with the start of the period that it was `used_in` and of the one whose invoice it is for, `month`. That is its own,
 * unless the invoice of that was final before the charge was made: then it is on the invoice that took it in, and until
 * one does, meant for the first later period without a final one. Of one account and the start of a period, both
 * expressions; of one account; or of all.
 */
export function billedCharges(account?: string, month?: string): string {
  const some =
    account === undefined || month === undefined
      ? ''
      : `and c.account = ${account} and (${usedIn} = ${month} or ${usedIn} < ${month} and ${isLate})`;
  const finals = account === undefined ? '' : `and account = ${account}`;
  return billed({ finals, charges: 'billing.charge', some });
}

/**
 * The same of the charges that may stand on the invoices of some periods: `months` names a table with the columns
 * `account` and `period_start`. Every charge of those is in it, with the period of its invoice, which may be later.
 */
export function billedChargesOf(months: string): string {
  return billed({
    finals: `and account in (select account from ${months})`,
    charges: `(
      ${chargesOf(`(select distinct account, period_start from ${months})`)}
      union all
      -- Those that came too late for the invoice of their own period.
      ${chargesOf(`(select * from finals where (account, period_start) not in (select account, period_start from ${months}))`, tooLate)})`,
    some: '',
  });
}

/**
 * Common table expressions that end in `moved`: the charges that stand on the invoice of another period than their own,
 * though that be void by now, or are meant for one, for they were too late for theirs. What they cost follows their
 * number. `finals` are the invoices. Of one account, an expression, or of all.
 */
export function movedCharges(account?: string): string {
  return `
  ${billed({
    finals: account === undefined ? '' : `and account = ${account}`,
    charges: `(${chargesOf('finals', tooLate)})`,
    some: '',
  })},
  taken as materialized (
    select c.entry_id, c.account, coalesce(c.billed_in, c.period_start) as used_in, i.period_start as month, c.occurred_at,
      c.sku, c.unit_price, c.included, c.overage, c.amount
    from billing.invoice_late l join finals i on i.id = l.invoice_id join billing.charge c on c.entry_id = l.entry_id),
  moved as materialized (
    select * from taken
    union all
    select entry_id, account, used_in, month, occurred_at, sku, unit_price, included, overage, amount from billed b
    where not exists (select 1 from taken t where t.entry_id = b.entry_id))`;
}

/** The start of the period that a charge was made in. */
const usedIn = 'coalesce(c.billed_in, c.period_start)';

const tooLate = `
        and (c.place > f.up_to_place or c.place in (select r.place from billing.readmission r where r.after_invoice = f.id))`;

/**
 * The charges of the periods in a table of their starts and accounts, `f`. Those of months in UTC have an index each.
 */
function chargesOf(periods: string, and = ''): string {
  return `
      select c.* from ${periods} as f
      join billing.charge c on c.rail = 'key' and c.account = f.account and c.period_start = f.period_start
        and c.billed_in is null${and}
      union all
      select c.* from ${periods} as f
      join billing.charge c on c.rail = 'key' and c.account = f.account and c.billed_in = f.period_start${and}`;
}

/** The invoice of the charge's own period was final before the charge was made. */
const isLate = 'f.id is not null and (c.place > f.up_to_place or r.after_invoice = f.id)';

function billed({ finals, charges, some }: Readonly<Record<'finals' | 'charges' | 'some', string>>): string {
  return `
  finals as (
    select id, account, period_start, period_end, up_to_place from billing.invoice
    where state not in ('draft', 'void') ${finals}),
  billed as (
    select c.entry_id, c.place, c.account, ${usedIn} as used_in, c.occurred_at, c.sku, c.unit_price, c.included, c.overage, c.amount,
      case when taken.period_start is not null then taken.period_start
        when (${isLate}) is not true then ${usedIn}
        else (
          select min(p.period_start) from billing.periods_of(c.account, ${usedIn},
            (select max(x.period_end) from finals x where x.account = c.account)) as p
          where p.period_start > ${usedIn} and not exists (
            select 1 from finals x where x.account = c.account and x.period_start = p.period_start)) end as month
    from ${charges} c
    left join billing.readmission r on r.place = c.place
    left join finals f on f.account = c.account and f.period_start = ${usedIn}
    left join (
      select l.entry_id, i.period_start from billing.invoice_late l join finals i on i.id = l.invoice_id
    ) as taken on taken.entry_id = c.entry_id
    where c.rail = 'key' ${some})`;
}
