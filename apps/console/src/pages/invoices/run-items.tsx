import { Link, useLocation } from 'wouter';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Money } from '../../ui/values.js';
import type { Finalized } from './kinds.js';
import type { Run } from './use-run.js';

/** Why a draft stays one, and what helps. */
const remedies: Readonly<Record<string, { readonly why: string; readonly href?: string; readonly to?: string }>> = {
  'invoice/no-contract': {
    why: 'No contract says who is invoiced and who sells. Enter one.',
    href: '/invoices/setup/contracts',
    to: 'Contracts',
  },
  'invoice/no-tax-rate': {
    why: "No rate of the customer's code of tax holds by the end of the month. Enter one, or change the code.",
    href: '/invoices/setup/tax-rates',
    to: 'Tax rates',
  },
  'invoice/not-over': { why: 'The month is not over, or the log was not read past its end. Wait.' },
  'invoice/nothing-due': { why: 'There is nothing to pay. It is invoiced when something comes to it.' },
  'invoice/needs-approval': {
    why: 'It is over the limit for one person. Another operator must approve it as it is now.',
    to: 'Open and approve',
  },
  'invoice/conflict': { why: 'It is no draft any more.' },
};

/** Why drafts stay drafts, the most frequent reason first, each with what helps. */
export function Refusals({ of }: { readonly of: readonly Finalized[] }) {
  const counts = new Map<string, number>();
  for (const { refusal } of of) {
    if (refusal !== null) counts.set(refusal.code, (counts.get(refusal.code) ?? 0) + 1);
  }
  if (counts.size === 0) return null;
  return (
    <ul className="reasons">
      {[...counts]
        .toSorted(([, one], [, other]) => other - one)
        .map(([code, count]) => {
          const { why, href, to } = remedies[code] ?? { why: code };
          return (
            <li key={code}>
              <strong>{count}</strong> {count === 1 ? 'stays a draft' : 'stay drafts'}: {why}{' '}
              {href === undefined ? null : <Link href={href}>{to}</Link>}
            </li>
          );
        })}
    </ul>
  );
}

export function RunItems({ run, names }: { readonly run: Run; readonly names: ReadonlyMap<string, string> }) {
  const [, navigate] = useLocation();
  const columns: readonly Column<Finalized>[] = [
    {
      title: 'Account',
      text: ({ account }) => names.get(account) ?? account,
      width: 'minmax(12rem, 2fr)',
    },
    {
      title: run.isPreview ? 'Would be' : 'Became',
      text: ({ refusal }) => (refusal === null ? 'final' : 'draft'),
      cell: ({ refusal }) => <Badge state={refusal === null ? 'final' : 'draft'} />,
      width: '7rem',
    },
    { title: 'Number', text: ({ number }) => number ?? '', width: '9rem' },
    {
      title: 'Before tax',
      text: ({ subtotal }) => subtotal ?? '',
      cell: ({ subtotal }) => <Money amount={subtotal} asset="USD" />,
      isNumber: true,
    },
    {
      title: 'Tax',
      text: ({ tax }) => tax ?? '',
      cell: ({ tax }) => <Money amount={tax} asset="USD" />,
      isNumber: true,
    },
    {
      title: 'To pay',
      text: ({ payable }) => payable ?? '',
      cell: ({ payable }) => <Money amount={payable} asset="USD" />,
      isNumber: true,
    },
    {
      title: 'Why it stays a draft',
      text: ({ refusal }) => (refusal === null ? '' : (remedies[refusal.code]?.why ?? refusal.detail)),
      cell: (item) => <Why of={item} />,
      width: 'minmax(14rem, 4fr)',
    },
  ];
  return (
    <Table
      name={`${run.isPreview ? 'preview' : 'run'} of ${run.month}`}
      columns={columns}
      list={wholeList(run.items)}
      keyOf={({ id }) => id}
      onOpen={({ id }) => navigate(`/invoices/${id}`)}
      empty={run.state === 'running' ? 'Nothing yet.' : 'The month has no drafts.'}
    />
  );
}

function Why({ of: { id, refusal } }: { readonly of: Finalized }) {
  if (refusal === null) return null;
  const { why = refusal.detail, href = `/invoices/${id}`, to } = remedies[refusal.code] ?? {};
  return (
    <>
      {to === undefined ? null : (
        <Link href={href} onClick={(event) => event.stopPropagation()}>
          {to}
        </Link>
      )}{' '}
      {why}
    </>
  );
}
