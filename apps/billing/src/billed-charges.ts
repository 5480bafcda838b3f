/**
 * Common table expressions that say on which month's invoice each charge by key stands: `billed`, each charge once,
 * with the month in which it was `used_in` and the `month` whose invoice it is for. That is its own month, unless the
 * invoice of that was final before the charge was made: then it is on the invoice that took it in, and until one does,
 * meant for the first later month without a final one. Of one account and month, both expressions; of one account; or
 * of all.
 */
export function billedCharges(account?: string, month?: string): string {
  const some =
    account === undefined || month === undefined
      ? ''
      : `and c.account = ${account} and (c.period_start = ${month} or c.period_start < ${month} and ${isLate})`;
  const finals = account === undefined ? '' : `and account = ${account}`;
  return billed({ finals, charges: 'billing.charge', some });
}

/**
 * The same of the charges that may stand on the invoices of some months: `months` names a table with the columns
 * `account` and `period_start`. Every charge of those is in it, with the month of its invoice, which may be later.
 */
export function billedChargesOf(months: string): string {
  return billed({
    finals: `and account in (select account from ${months})`,
    charges: `(
      select c.* from (select distinct account, period_start from ${months}) as m
      join billing.charge c on c.rail = 'key' and c.account = m.account and c.period_start = m.period_start
      union all
      -- Those that came too late for the invoice of their own month.
      select c.* from finals f
      join billing.charge c on c.rail = 'key' and c.account = f.account and c.period_start = f.period_start
        and (c.place > f.up_to_place or c.place in (select r.place from billing.readmission r where r.after_invoice = f.id))
      where (f.account, f.period_start) not in (select account, period_start from ${months}))`,
    some: '',
  });
}

/**
 * The same of the charges that were too late for the invoice of their own month: what they cost follows their number.
 */
export function lateCharges(): string {
  return billed({
    finals: '',
    charges: `(
      select c.* from finals f
      join billing.charge c on c.rail = 'key' and c.account = f.account and c.period_start = f.period_start
        and (c.place > f.up_to_place or c.place in (select r.place from billing.readmission r where r.after_invoice = f.id)))`,
    some: '',
  });
}

/** The invoice of the charge's own month was final before the charge was made. */
const isLate = 'f.id is not null and (c.place > f.up_to_place or r.after_invoice = f.id)';

function billed({ finals, charges, some }: Readonly<Record<'finals' | 'charges' | 'some', string>>): string {
  return `
  finals as (
    select id, account, period_start, up_to_place from billing.invoice
    where state not in ('draft', 'void') ${finals}),
  billed as (
    select c.entry_id, c.place, c.account, c.period_start as used_in, c.sku, c.unit_price, c.included, c.overage, c.amount,
      case when taken.period_start is not null then taken.period_start
        when (${isLate}) is not true then c.period_start
        else (
          select min(m) at time zone 'utc' from generate_series(
            c.period_start at time zone 'utc' + interval '1 month',
            (select max(x.period_start) from finals x where x.account = c.account) at time zone 'utc' + interval '1 month',
            interval '1 month') as m
          where not exists (
            select 1 from finals x where x.account = c.account and x.period_start = m at time zone 'utc')) end as month
    from ${charges} c
    left join billing.readmission r on r.place = c.place
    left join finals f on f.account = c.account and f.period_start = c.period_start
    left join (
      select l.entry_id, i.period_start from billing.invoice_late l join finals i on i.id = l.invoice_id
    ) as taken on taken.entry_id = c.entry_id
    where c.rail = 'key' ${some})`;
}
