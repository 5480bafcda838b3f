import type { Check } from './check.js';

/** The payload of a compact JWS, as JSON: base64url is base64 by other letters and without padding. */
const payload = `convert_from(decode(rpad(translate(split_part(jws, '.', 2), '-_', '+/'),
  (length(split_part(jws, '.', 2)) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb`;

/** What the books took from the signed documents, against the documents: terms, payments and units. */
export function checkDocuments(): Check {
  return {
    classes: ['ledger-mismatch'],
    text: `
      with documents as materialized (
        select id, kind, usage_units, ${payload} as said from billing.entry
        where fault is null and sha256(convert_to(jws, 'UTF8')) = digest)
      select 'ledger-mismatch' as class, 'document:' || d.id as subject,
        jsonb_build_object('entry', d.id, 'kind', d.kind) as keys, null::text as asset, null::numeric as amount,
        'ledger' as side, case d.kind when 'terms' then 'The price book is not what the signed terms say.'
          else 'The books took something else from the signed document than it says.' end as detail
      from documents d
      left join billing.price_book b on b.id = d.id
      left join billing.payment p on p.entry_id = d.id
      where case d.kind
          when 'terms' then b.id is not null and (b.account, b.included_units::text, b.overage, b.overage_price::text,
              b.monthly_price::text, extract(epoch from b.effective_at)::bigint)
            is distinct from (said ->> 'account', said ->> 'includedUnits', said ->> 'overage', said ->> 'overagePrice',
              said ->> 'monthlyPrice', (said ->> 'effectiveAt')::bigint)
          when 'call' then d.usage_units is distinct from (said ->> 'units')::bigint else false end
        or p.entry_id is not null and (p.network, p.asset, p.payer, p.nonce, p.pay_to, p.amount::text, p.transaction)
          is distinct from (said ->> 'network', said ->> 'asset', said ->> 'payer', said ->> 'nonce', said ->> 'payTo',
            said ->> 'amount', said ->> 'transaction')`,
    values: [],
  };
}

/** What the intake found wrong, and copies that are no longer what the log's digest says. */
export function checkEntries(): Check {
  return {
    classes: ['receipt-invalid', 'receipt-missing', 'digest-mismatch', 'usage-mismatch', 'terms-missing'],
    text: `
      select e.fault as class, e.tx || '/' || e.position as subject,
        jsonb_build_object('entry', e.id, 'kind', e.kind, 'principal', e.principal,
          'place', e.tx || '/' || e.position) as keys,
        null::text as asset, null::numeric as amount,
        case e.fault when 'usage-mismatch' then 'usage' else 'receipt' end as side, e.fault_detail as detail
      from billing.entry e where e.fault is not null
      union all
      select 'digest-mismatch', e.tx || '/' || e.position,
        jsonb_build_object('entry', e.id, 'kind', e.kind, 'principal', e.principal,
          'place', e.tx || '/' || e.position),
        null, null, 'receipt', 'The stored copy of the document is not the one whose digest the log holds.'
      from billing.entry e where e.fault is null and sha256(convert_to(e.jws, 'UTF8')) is distinct from e.digest`,
    values: [],
  };
}
