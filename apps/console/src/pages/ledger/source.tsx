import { Link } from 'wouter';
import { Dash, Id } from '../../ui/values.js';

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** Where a journal comes from, by the first word of its source. */
const pages: Readonly<Record<string, (id: string) => string>> = {
  call: (id) => `/receipts?id=${id}`,
  'refund-due': (id) => `/receipts?id=${id}`,
  reversed: (id) => `/receipts?id=${id}`,
  unpaid: (id) => `/receipts?id=${id}`,
  entry: (id) => `/receipts?id=${id}`,
  invoice: (id) => `/invoices/${id}`,
  release: (id) => `/invoices/${id}`,
  break: (id) => `/reconciliation/breaks/${id}`,
};

/** The source of a journal: an entry with its receipt, an invoice or a case, where there is a page of it. */
export function Source({ of }: { readonly of: string | null | undefined }) {
  if (of === null || of === undefined) return <Dash />;
  const [word = ''] = of.split(':', 1);
  const id = uuid.exec(of)?.[0];
  const page = id === undefined ? undefined : pages[word]?.(id);
  if (page === undefined) return <Id value={of} length={28} />;
  return (
    <Link href={page} title={of} onClick={(event) => event.stopPropagation()}>
      {word} {id?.slice(0, 8)}…
    </Link>
  );
}
