import type { components } from '@keyfare/api-types/billing';
import { dateIn, startOfDay } from '@keyfare/core/time';
import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useMay, useRead } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Moment, Money } from '../../ui/values.js';
import type { Contract } from './directory.js';

type Price = components['schemas']['ContractPrice'];
type Commit = components['schemas']['ContractCommit'];

/** What was agreed in a contract beside its plan: a price of a product, or a minimum. */
interface Term extends Pick<Price, 'id' | 'validFrom' | 'madeBy'> {
  readonly what: string;
  /** Null: the plan's price again. */
  readonly amount: string | null;
}

const columns: readonly Column<Term>[] = [
  { title: 'What', text: ({ what }) => what, width: 'minmax(12rem, 2fr)' },
  {
    title: 'Price or amount',
    text: ({ amount }) => amount ?? "the plan's",
    cell: ({ amount }) => (amount === null ? "the plan's" : <Money asset="USD" amount={amount} />),
    isNumber: true,
  },
  {
    title: 'From',
    text: ({ validFrom }) => validFrom,
    cell: ({ validFrom }) => <Moment at={validFrom} />,
    width: '13rem',
  },
  { title: 'By', text: ({ madeBy }) => madeBy, width: '10rem' },
];

/** The prices and minimums of a contract, the newest first, and how the next ones are agreed. */
export function ContractTerms({ contract }: { readonly contract: Contract }) {
  const mayMoney = useMay('money');
  const [form, setForm] = useState<'price' | 'commit'>();
  const path = { params: { path: { id: contract.id } } };
  const terms = useRead(['contracts', contract.id, 'terms'], async () => {
    const [prices, commits] = await Promise.all([
      ok(billing.GET('/contracts/{id}/prices', path)),
      ok(billing.GET('/contracts/{id}/commits', path)),
    ]);
    return termsOf(prices.items, commits.items);
  });
  const actions = (
    <>
      <Button onPress={() => setForm('price')}>Agree a price</Button>
      <Button onPress={() => setForm('commit')}>Agree a minimum</Button>
    </>
  );
  return (
    <Section title="Prices and minimums" actions={mayMoney ? actions : undefined}>
      <Shown of={terms} what="Reading what was agreed">
        {(known) => (
          <Table
            name="contract terms"
            columns={columns}
            list={wholeList(known)}
            keyOf={({ id }) => id}
            empty="Nothing but the plan: units beyond it have its price, and there is no minimum."
          />
        )}
      </Shown>
      {form === 'price' ? <NewPrice contract={contract} onClose={() => setForm(undefined)} /> : null}
      {form === 'commit' ? <NewCommit contract={contract} onClose={() => setForm(undefined)} /> : null}
    </Section>
  );
}

function termsOf(prices: readonly Price[], commits: readonly Commit[]): readonly Term[] {
  const terms = [
    ...prices.map(({ sku, unitPrice, ...price }) => ({ ...price, what: `A unit of ${sku}`, amount: unitPrice })),
    ...commits.map((commit) => ({ ...commit, what: 'Minimum of a period' })),
  ];
  return terms.toSorted((one, other) => other.validFrom.localeCompare(one.validFrom));
}

interface FormProps {
  readonly contract: Contract;
  readonly onClose: () => void;
}

/** The start of a day where the contract is; of its first day, its own start. */
function startOf({ timeZone, startsAt }: Contract, day: string): string {
  return dateIn(timeZone, new Date(startsAt)) === day ? startsAt : startOfDay(timeZone, day).toISOString();
}

interface AgreeProps extends FormProps {
  readonly title: string;
  readonly isReady: boolean;
  readonly dayHint: string;
  readonly agree: (validFrom: string) => Promise<unknown>;
  readonly children: ReactNode;
}

function Agree({ contract, title, isReady, dayHint, agree, onClose, children }: AgreeProps) {
  const queries = useQueryClient();
  const [day, setDay] = useState('');
  return (
    <FormDialog
      title={title}
      action="Agree"
      isOpen
      isReady={isReady && day !== ''}
      onClose={onClose}
      onSubmit={async () => {
        await agree(startOf(contract, day));
        await queries.invalidateQueries({ queryKey: ['contracts', contract.id] });
      }}
    >
      {children}
      <Field label="From" type="date" value={day} onChange={setDay} isRequired hint={dayHint} />
    </FormDialog>
  );
}

function NewPrice({ contract, onClose }: FormProps) {
  const [sku, setSku] = useState('');
  const [price, setPrice] = useState('');
  const unitPrice = price.trim() === '' ? null : price.trim();
  const params = { path: { id: contract.id } };
  return (
    <Agree
      contract={contract}
      title="Agree a price"
      isReady={sku.trim() !== ''}
      dayHint={`When this day begins, ${contract.timeZone}. No call from then on may be charged yet.`}
      agree={async (validFrom) => {
        const body = { sku: sku.trim(), unitPrice, validFrom };
        await ok(billing.POST('/contracts/{id}/prices', { params, body }));
      }}
      onClose={onClose}
    >
      <Field label="Product" value={sku} onChange={setSku} isRequired hint="Its sku." />
      <Field
        label="Price of a unit beyond the plan (may be empty)"
        value={price}
        onChange={setPrice}
        hint="In USD, with a point. Empty: the plan's again."
      />
    </Agree>
  );
}

function NewCommit({ contract, onClose }: FormProps) {
  const [amount, setAmount] = useState('');
  const params = { path: { id: contract.id } };
  return (
    <Agree
      contract={contract}
      title="Agree a minimum"
      isReady={amount.trim() !== ''}
      dayHint={`The first day of a period, ${contract.timeZone}.`}
      agree={async (validFrom) => {
        const body = { amount: amount.trim(), validFrom };
        await ok(billing.POST('/contracts/{id}/commits', { params, body }));
      }}
      onClose={onClose}
    >
      <Field label="Minimum of a period" value={amount} onChange={setAmount} isRequired hint="In USD. 0 ends it." />
    </Agree>
  );
}
