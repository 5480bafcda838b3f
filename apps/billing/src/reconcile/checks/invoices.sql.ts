import { billedCharges } from '../../billed-charges.js';
import { servedMonths } from '../../served-months.js';
import type { Check } from './check.js';

/**
 * Months that are over against their invoices: each must have one that covers exactly the month's charges and terms,
 * and whose total is the sum of its lines. The month in which a contract ended is over with it. Drafts are drawn up at
 * night, so what came in the last day is still under way. A month without a call and without a price has none.
 */
export function checkInvoices(): Check {
  return {
    classes: ['invoice-stale'],
    text: `
      with ${months},
      ${invoices},
      due as (
        select m.*, i.id, i.state, i.covered, i.wrong_sum,
          array[m.receipts, m.included, m.overage, m.amount, m.terms] as expected
        from months m left join invoices i using (account, period_start)
        where greatest(least(m.period_end, m.ends_at), m.newest) <= $2::timestamptz - interval '24 hours')
      select 'invoice-stale' as class, 'invoice:' || account || ' ' || month as subject,
        jsonb_strip_nulls(jsonb_build_object('account', account, 'month', month, 'invoice', id)) as keys,
        'USD' as asset, abs(amount - coalesce(covered[4], 0)) as amount, 'ledger' as side,
        case when id is null then 'The month is over and has no invoice.'
          when covered is distinct from expected then format('The invoice (%s) covers %s of %s calls and %s of %s terms, '
            || 'and %s of %s micro-dollars for units beyond the plan.', state, covered[1], expected[1], covered[5], expected[5],
            covered[4], expected[4])
          else 'The total of the invoice is not the sum of its lines.' end as detail
      from due where (id is not null or receipts > 0 or priced)
        and (covered is distinct from expected or wrong_sum)`,
    values: [],
  };
}

/**
 * Final invoices against what was frozen of them: the digest is that of the document, the row and its lines say what the
 * document says, its entries are those that the charges come to, and the numbers of a series and the sums of credit notes
 * are whole.
 */
export function checkFinalInvoices(): Check {
  return {
    classes: ['invoice-mismatch'],
    text: `
      with ${billedCharges()},
      entries as (
        select account, month, count(*) as receipts, min(place) as first_place, max(place) as last_place,
          sha256(convert_to(string_agg(entry_id::text, ',' order by place), 'UTF8')) as digest
        from billed group by account, month),
      frozen as (
        select i.*, i.document::jsonb as said, sha256(convert_to(i.document, 'UTF8')) as document_digest
        from billing.invoice i where i.document is not null),
      notes as (
        select n.*, sum(n.total_cents) over (partition by n.invoice_id) as all_cents,
          coalesce((select sum(l.amount) from billing.credit_note_line l where l.credit_note_id = n.id), 0) as lines
        from billing.credit_note n),
      numbers as (
        select series, sequence from billing.invoice where series is not null
        union all select series, sequence from billing.credit_note)
      select 'invoice-mismatch' as class, 'invoice:' || what.subject as subject,
        jsonb_strip_nulls(jsonb_build_object('invoice', what.invoice, 'series', what.series)) as keys,
        'USD' as asset, what.amount, 'ledger' as side, what.detail
      from (
        select id::text || ':digest' as subject, id as invoice, null as series, total as amount,
          'What was frozen is not what its digest says.' as detail
        from frozen where digest <> document_digest
        union all
        select id || ':content', id, null, total, 'The invoice is not what was frozen.' from frozen f
        where (number, account, account_name, to_jsonb(due_on), seller, customer, total::text, subtotal_cents::text,
            tax_cents::text, payable_cents::text, tax_code, encode(entries_digest, 'hex'), receipts::text,
            first_place::text, last_place::text, up_to_place::text)
          is distinct from (said ->> 'number', said ->> 'account', said ->> 'accountName', said -> 'dueOn',
            said -> 'seller', said -> 'customer', said ->> 'total', said ->> 'subtotalCents', said ->> 'taxCents',
            said ->> 'payableCents', said -> 'tax' ->> 'code', said -> 'entries' ->> 'digest',
            said -> 'entries' ->> 'count', said -> 'entries' ->> 'firstPlace', said -> 'entries' ->> 'lastPlace',
            said -> 'entries' ->> 'upToPlace')
          or said -> 'lines' is distinct from (
            select jsonb_agg(jsonb_build_object('kind', kind, 'description', description, 'sku', sku,
              'quantity', quantity::text, 'unitPrice', unit_price::text, 'amount', amount::text) order by line)
            from billing.invoice_line l where l.invoice_id = f.id)
        union all
        select f.id || ':entries', f.id, null, f.total, 'Its entries are not those that the charges come to.'
        from frozen f left join entries e on e.account = f.account and e.month = f.period_start
        where f.state <> 'void' and (f.receipts, f.first_place, f.last_place, f.entries_digest) is distinct from (
          coalesce(e.receipts, 0), e.first_place, e.last_place, coalesce(e.digest, sha256('')))
        union all
        select 'series:' || series, null, series, null,
          format('The numbers of the series are not 1 to %s, each once.', s.last)
        from billing.number_series s left join numbers n using (series) group by series, s.last
        having (count(n.sequence), min(n.sequence), max(n.sequence)) is distinct from (s.last, 1::bigint, s.last)
        union all
        select 'note:' || n.id, n.invoice_id, null, n.amount, 'A credit note is not what its digest and lines say, or all '
          || 'of the invoice are more than it.'
        from notes n join billing.invoice i on i.id = n.invoice_id
        where n.digest <> sha256(convert_to(n.document, 'UTF8')) or n.lines <> n.amount
          or n.document::jsonb ->> 'totalCents' <> n.total_cents::text or n.all_cents > i.payable_cents
      ) as what`,
    values: [],
  };
}

/** Each account's months since its first terms or charge, with what an invoice of it must cover. */
const months = `
  ${billedCharges()},
  charged as (
    select c.account, c.month as period_start, count(*) as receipts, sum(c.included) as included, sum(c.overage) as overage,
      sum(c.amount) as amount, max(e.ingested_at) as newest
    from billed c left join billing.entry e on e.id = c.entry_id and e.fault is null
    group by 1, 2),
  ${servedMonths('$2::timestamptz')},
  months as (
    select account, period_start, period_end, to_char(period_start at time zone 'utc', 'YYYY-MM') as month,
      coalesce(receipts, 0)::numeric as receipts, coalesce(included, 0) as included, coalesce(overage, 0) as overage,
      coalesce(amount, 0) as amount, terms::numeric as terms, coalesce(priced, false) as priced,
      greatest(newest, newest_terms) as newest, ends_at
    from served full join charged using (account, period_start) left join ended using (account)
    cross join lateral (
      select (period_start at time zone 'utc' + interval '1 month') at time zone 'utc' as period_end) as ends
    cross join lateral (
      select count(*) as terms, max(e.ingested_at) as newest_terms
      from billing.terms b left join billing.entry e on e.id = b.id and e.fault is null
      where b.account = coalesce(served.account, charged.account) and b.effective_at < period_end) as book)`;

const invoices = `
  invoices as (
    select i.id, i.account, i.period_start, i.state, i.total <> coalesce(sum(l.amount), 0) as wrong_sum,
      array[i.receipts, coalesce(sum(l.quantity) filter (where l.kind = 'included'), 0),
        coalesce(sum(l.quantity) filter (where l.kind = 'overage'), 0),
        coalesce(sum(l.amount) filter (where l.kind = 'overage'), 0), i.terms]::numeric[] as covered
    from billing.invoice i left join billing.invoice_line l on l.invoice_id = i.id
    where i.state <> 'void' group by i.id)`;
