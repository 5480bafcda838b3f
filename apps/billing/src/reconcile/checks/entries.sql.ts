import { type Check, rowsIn, type Window, windowColumns } from './check.js';

/** The payload of a compact JWS, as JSON: base64url is base64 by other letters and without padding. */
const payload = `convert_from(decode(rpad(translate(split_part(jws, '.', 2), '-_', '+/'),
  (length(split_part(jws, '.', 2)) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb`;

/**
 * What the books took from the signed documents, against the documents: which call it was, of whom, for what and how
 * much, terms and payments. Copies that agree with each other and not with what was signed are found only here.
 */
export function checkDocuments(window: Window): Check {
  return {
    name: 'documents',
    window,
    classes: ['ledger-mismatch'],
    text: `
      with documents as materialized (
        select place, recorded_at, id, kind, usage_rail, usage_account, usage_payer, usage_sku, usage_units, usage_period_start,
          usage_occurred_at, ${payload} as said
        from ${rowsIn('billing.entry', 3)} e where fault is null and sha256(convert_to(jws, 'UTF8')) = digest),
      wrong as (
        select d.place, d.recorded_at, d.id, d.kind
        from documents d
        left join billing.terms b on b.id = d.id
        left join billing.payment p on p.entry_id = d.id
        left join billing.charge c on c.entry_id = d.id
        where said ->> 'id' is distinct from d.id::text or case d.kind
            when 'terms' then b.id is not null and (b.account, b.plan_id, b.included_units::text, b.overage,
                b.overage_price::text, b.monthly_price::text, extract(epoch from b.effective_at)::bigint,
                extract(epoch from b.ends_at)::bigint, b.revision)
              is distinct from (said ->> 'account', said #>> '{plan,id}', said ->> 'includedUnits', said ->> 'overage',
                said ->> 'overagePrice', said ->> 'monthlyPrice', (said ->> 'effectiveAt')::bigint,
                (said ->> 'endsAt')::bigint,
                coalesce((said ->> 'revision')::bigint, 0))
            when 'call' then (d.usage_rail, d.usage_account, d.usage_payer, d.usage_sku, d.usage_units)
                is distinct from (said ->> 'rail',
                  case said ->> 'rail' when 'key' then said ->> 'principal' else said ->> 'account' end,
                  case said ->> 'rail' when 'free' then said ->> 'principal' else said ->> 'payer' end,
                  said ->> 'sku', (said ->> 'units')::bigint)
              or to_timestamp((said ->> 'issuedAt')::bigint) - d.usage_occurred_at
                not between interval '-5 minutes' and interval '25 hours'
              or d.usage_period_start
                is distinct from date_trunc('month', d.usage_occurred_at at time zone 'utc') at time zone 'utc'
              or c.entry_id is not null and (c.rail, c.account, c.payer, c.sku, c.units, c.period_start, c.occurred_at)
                is distinct from (said ->> 'rail',
                  case said ->> 'rail' when 'key' then said ->> 'principal' else said ->> 'account' end,
                  case said ->> 'rail' when 'free' then said ->> 'principal' else said ->> 'payer' end,
                  said ->> 'sku', (said ->> 'units')::bigint, d.usage_period_start, d.usage_occurred_at)
            else false end
          or p.entry_id is not null and (p.network, p.asset, p.payer, p.nonce, p.pay_to, p.amount::text, p.transaction,
              p.sku, p.reason, p.call_id::text, p.outcome)
            is distinct from (said ->> 'network', said ->> 'asset', said ->> 'payer', said ->> 'nonce', said ->> 'payTo',
              said ->> 'amount', said ->> 'transaction', said ->> 'sku', said ->> 'reason', said ->> 'call',
              case d.kind when 'call' then said ->> 'settlement' else d.kind end))
      select 'ledger-mismatch' as class, 'document:' || id as subject,
        jsonb_build_object('entry', id, 'kind', kind) as keys, null::text as asset, null::numeric as amount,
        'ledger' as side, case kind when 'terms' then 'The stored terms are not what the signed ones say.'
          else 'The books took something else from the signed document than it says.' end as detail,
        place, recorded_at as happened_at
      from wrong`,
    values: [...windowColumns(window)],
  };
}

/** What the intake found wrong. */
export function checkFaults(): Check {
  return {
    name: 'faults',
    classes: [
      'receipt-invalid',
      'receipt-missing',
      'digest-mismatch',
      'usage-mismatch',
      'terms-missing',
      'call-mismatch',
      'account-ended',
    ],
    text: `
      select e.fault as class, e.place::text as subject,
        jsonb_build_object('entry', e.id, 'kind', e.kind, 'principal', e.principal,
          'place', e.place::text) as keys,
        null::text as asset, null::numeric as amount,
        case when e.fault in ('usage-mismatch', 'account-ended') then 'usage' else 'receipt' end as side,
        e.fault_detail as detail, e.recorded_at as happened_at
      from billing.entry e where e.fault is not null`,
    values: [],
  };
}

/** Copies of documents that are no longer what the log's digest says. */
export function checkCopies(window: Window): Check {
  return {
    name: 'copies',
    window,
    classes: ['digest-mismatch'],
    text: `
      select 'digest-mismatch' as class, e.place::text as subject,
        jsonb_build_object('entry', e.id, 'kind', e.kind, 'principal', e.principal,
          'place', e.place::text) as keys,
        null::text as asset, null::numeric as amount, 'receipt' as side,
        'The stored copy of the document is not the one whose digest the log holds.' as detail,
        e.place, e.recorded_at as happened_at
      from ${rowsIn('billing.entry', 3)} e
      where e.fault is null and sha256(convert_to(e.jws, 'UTF8')) is distinct from e.digest`,
    values: [...windowColumns(window)],
  };
}
