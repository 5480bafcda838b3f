import { billedCharges, billedChargesOf } from '../../billed-charges.js';
import type { Check } from './check.js';

/** The name of the check: what it found is read again until it is gone. */
export const finalInvoices = 'final-invoices';

/**
 * Final invoices against what was frozen of them: the digest is that of the document, the row and its lines say what
 * the document says, its entries are those that the charges come to, and the sums of its credit notes are whole. Of
 * these ids, or where there are none given, of all.
 */
export function checkFinalInvoices(ids: readonly string[] | null): Check {
  return {
    name: finalInvoices,
    classes: ['invoice-mismatch'],
    ...(ids !== null && { among: { key: 'invoice', ids } }),
    text: `
      with due as materialized (
        select * from billing.invoice where document is not null and ($3::uuid[] is null or id = any($3::uuid[]))),
      ${ids === null ? billedCharges() : billedChargesOf('due')},
      entries as (
        select account, month, count(*) as receipts, min(place) as first_place, max(place) as last_place,
          sha256(convert_to(string_agg(entry_id::text, ',' order by place), 'UTF8')) as digest
        from billed group by account, month),
      frozen as (
        select i.*, i.document::jsonb as said, sha256(convert_to(i.document, 'UTF8')) as document_digest
        from due i),
      notes as (
        select n.*, sum(n.total_cents) over (partition by n.invoice_id) as all_cents,
          coalesce((select sum(l.amount) from billing.credit_note_line l where l.credit_note_id = n.id), 0) as lines
        from billing.credit_note n where n.invoice_id in (select id from due))
      select 'invoice-mismatch' as class, 'invoice:' || what.subject as subject,
        jsonb_build_object('invoice', what.invoice) as keys,
        'USD' as asset, what.amount, 'ledger' as side, what.detail
      from (
        select id::text || ':digest' as subject, id as invoice, total as amount,
          'What was frozen is not what its digest says.' as detail
        from frozen where digest <> document_digest
        union all
        select id || ':content', id, total, 'The invoice is not what was frozen.' from frozen f
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
        select f.id || ':entries', f.id, f.total, 'Its entries are not those that the charges come to.'
        from frozen f left join entries e on e.account = f.account and e.month = f.period_start
        where f.state <> 'void' and (f.receipts, f.first_place, f.last_place, f.entries_digest) is distinct from (
          coalesce(e.receipts, 0), e.first_place, e.last_place, coalesce(e.digest, sha256('')))
        union all
        select i.id || ':paid', i.id, abs(i.paid - p.amount), 'What is paid of it is not what its payments come to.'
        from due i cross join lateral (
          select coalesce(sum(p.amount), 0) as amount from billing.invoice_payment p
          left join billing.invoice_payment_undone u using (source, invoice_id)
          where p.invoice_id = i.id and u.source is null) as p
        where i.paid <> p.amount
        union all
        select i.id || ':adjustments', i.id, i.total, 'Its lines of adjustments are not what it took of them.'
        from due i where exists (
          select 1 from (
            select line, amount from billing.invoice_line
            where invoice_id = i.id and (kind = 'adjustment' or kind = 'prepaid' and amount > 0)) as l
          full join (select line, amount from billing.invoice_adjustment where invoice_id = i.id) as t using (line)
          where l.amount is distinct from t.amount)
        union all
        select 'note:' || n.id, n.invoice_id, n.amount, 'A credit note is not what its digest and lines say, or all '
          || 'of the invoice are more than it.'
        from notes n join due i on i.id = n.invoice_id
        where n.digest <> sha256(convert_to(n.document, 'UTF8')) or n.lines <> n.amount
          or n.document::jsonb ->> 'totalCents' <> n.total_cents::text or n.all_cents > i.payable_cents
      ) as what`,
    values: [ids],
  };
}

/** The numbers of each series of invoices and credit notes: 1 and on without a gap, each once. */
export function checkNumbers(): Check {
  return {
    name: 'invoice-numbers',
    classes: ['invoice-mismatch'],
    text: `
      with numbers as (
        select series, sequence from billing.invoice where series is not null
        union all select series, sequence from billing.credit_note)
      select 'invoice-mismatch' as class, 'invoice:series:' || series as subject,
        jsonb_build_object('series', series) as keys, null::text as asset, null::numeric as amount, 'ledger' as side,
        format('The numbers of the series are not 1 to %s, each once.', s.last) as detail
      from billing.number_series s left join numbers n using (series) group by series, s.last
      having (count(n.sequence), min(n.sequence), max(n.sequence)) is distinct from (s.last, 1::bigint, s.last)`,
    values: [],
  };
}
