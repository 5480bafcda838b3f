import type { components } from '@keyfare/api-types/billing';
import type { ReactNode } from 'react';
import { Badge, Count, Id, Moment, Money } from '../../ui/values.js';
import { read } from '../receipts/document.js';

type Entry = components['schemas']['Entry'];

interface Part {
  readonly label: string;
  readonly value: ReactNode;
}

const Lines = ({ of }: { readonly of: readonly Part[] }) => (
  <dl className="witness">
    {of.map(({ label, value }, at) => (
      // Labels repeat where there are several journals or transfers, and none of them moves.
      <div key={`${label} ${at}`}>
        <dt>{label}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);

/** Members of a document that say what was sold; each as it was signed. */
const told = ['rail', 'sku', 'units', 'amount', 'decimals', 'account', 'payer', 'status', 'settlement'] as const;

/** What was signed. */
export function ReceiptWitness({ of: { receipt, occurredAt, refused } }: { readonly of: Entry }) {
  const payload = receipt === null ? undefined : read(receipt)?.payload;
  if (payload === undefined) return <p>{receipt === null ? 'Nothing was signed.' : 'It cannot be read.'}</p>;
  const parts = told
    .filter((name) => payload[name] !== undefined)
    .map((name) => ({ label: name, value: String(payload[name]) }));
  return (
    <Lines
      of={[
        { label: 'Signed for', value: <Moment at={occurredAt} /> },
        ...parts,
        ...(refused === null ? [] : [{ label: 'Refused', value: <Badge state={refused.fault} tone="bad" /> }]),
      ]}
    />
  );
}

/** What was metered and rated. */
export function UsageWitness({ of: { charge, account } }: { readonly of: Entry }) {
  if (charge === null) return <p>Nothing was charged.</p>;
  const { sku, units, included, overage, amount, asset, month } = charge;
  return (
    <Lines
      of={[
        { label: 'Account', value: <bdi>{account?.name ?? account?.id ?? 'none'}</bdi> },
        { label: 'Product', value: sku },
        { label: 'Units', value: <Count value={units} /> },
        { label: 'Included', value: <Count value={included} /> },
        { label: 'Beyond', value: <Count value={overage} /> },
        { label: 'Charged', value: <Money amount={amount} asset={asset} /> },
        { label: 'Month', value: month },
      ]}
    />
  );
}

/** What was booked. */
export function JournalWitness({ of: { journals } }: { readonly of: Entry }) {
  if (journals.length === 0) return <p>Nothing was booked.</p>;
  return (
    <Lines
      of={journals.flatMap(({ kind, movements }) =>
        movements.map(({ debit, credit, amount, asset }) => ({
          label: kind,
          value: (
            <>
              <Money amount={amount} asset={asset} /> from <code>{credit}</code> to <code>{debit}</code>
            </>
          ),
        })),
      )}
    />
  );
}

/** What moved. */
export function ChainWitness({ of: { matches, payment } }: { readonly of: Entry }) {
  const transfers = matches.map(({ state, asset, transfer }) => ({
    label: state,
    value: (
      <>
        <Money amount={transfer.amount} asset={asset} /> in block <Count value={transfer.block} />,{' '}
        <Id value={transfer.transaction} />
      </>
    ),
  }));
  if (payment === null) return <p>Nothing was to move.</p>;
  return (
    <Lines
      of={[
        { label: 'Expected', value: <Money amount={payment.amount} asset={payment.asset} /> },
        { label: 'From', value: <Id value={payment.payer} /> },
        ...(transfers.length === 0 ? [{ label: 'Moved', value: 'no transfer is matched with it' }] : transfers),
      ]}
    />
  );
}
