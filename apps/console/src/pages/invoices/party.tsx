import { Link } from 'wouter';
import { Facts, Section } from '../../ui/page.js';
import { Empty } from '../../ui/states.js';
import type { Invoice } from './kinds.js';

interface PartyProps {
  readonly title: string;
  readonly of: Invoice['seller'];
  readonly customerId?: string | null;
}

const labels: readonly (readonly [name: string, label: string])[] = [
  ['legalName', 'Name'],
  ['address', 'Address'],
  ['country', 'Country'],
  ['taxId', 'Tax id'],
  ['payTo', 'Paid to'],
  ['series', 'Series'],
  ['language', 'Language'],
  ['paymentDays', 'Days to pay'],
  ['taxCode', 'Code of tax'],
];

/** Who sells or who is invoiced, as it was when the invoice became final. */
export function Party({ title, of, customerId }: PartyProps) {
  const known = labels.flatMap(([name, label]) => {
    const value = of?.[name];
    return typeof value === 'string' || typeof value === 'number'
      ? [[label, <bdi key={name} className="lines">{`${value}`}</bdi>] as const]
      : [];
  });
  return (
    <Section
      title={title}
      actions={
        customerId === undefined || customerId === null ? undefined : (
          <Link href={`/invoices/customers/${customerId}`}>The customer today</Link>
        )
      }
    >
      {known.length === 0 ? <Empty>It is written down when the invoice becomes final.</Empty> : <Facts of={known} />}
    </Section>
  );
}
