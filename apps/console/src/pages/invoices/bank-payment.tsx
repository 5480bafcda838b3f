import type { components } from '@keyfare/api-types/billing';
import { useState } from 'react';
import { Link, useParams } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useMay, useRead } from '../../api/hooks.js';
import { sumMoney } from '../../format/money.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { Facts, Page, Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Day, Moment, Money } from '../../ui/values.js';
import { MatchDialog, type Wanted } from './bank-match.js';
import { UnmatchDialog } from './bank-unmatch.js';
import type { BankPayment } from './kinds.js';

type Proposal = components['schemas']['BankPaymentProposalList']['items'][number];
export type Match = components['schemas']['BankPaymentMatchList']['items'][number];

/** One payment of the bank: what it may be of, what it was matched to, and what is done with the rest. */
export default function BankPaymentPage() {
  const { id } = useParams<{ id: string }>();
  const mayMoney = useMay('money');
  const [wanted, setWanted] = useState<Wanted>();
  const path = { params: { path: { id } } };
  const payment = useRead(['bank-payments', id], async () => ok(billing.GET('/bank-payments/{id}', path)));
  const isOpen = payment.data?.state === 'open';
  return (
    <Page
      title={payment.data === undefined ? 'Bank payment' : `Payment of ${payment.data.payer || 'nobody named'}`}
      above={{ href: '/invoices/bank', title: 'Bank payments' }}
      actions={
        isOpen && mayMoney ? (
          <>
            <Button onPress={() => setWanted({ use: 'credit' })}>Make it credit</Button>
            <Button look="primary" onPress={() => setWanted({ use: 'invoice' })}>
              Pay an invoice
            </Button>
          </>
        ) : undefined
      }
    >
      <Shown of={payment}>
        {(shown) => (
          <>
            <PaymentFacts payment={shown} />
            {shown.state === 'open' ? <Proposals id={id} onChoose={mayMoney ? setWanted : undefined} /> : null}
            {shown.state === 'out' ? null : <Matches payment={shown} />}
            {wanted === undefined ? null : (
              <MatchDialog payment={shown} wanted={wanted} onClose={() => setWanted(undefined)} />
            )}
          </>
        )}
      </Shown>
    </Page>
  );
}

const PaymentFacts = ({ payment }: { readonly payment: BankPayment }) => (
  <Facts
    of={[
      ['Day', <Day key="day" of={payment.bookedOn} />],
      ['State', <Badge key="state" state={payment.state} />],
      ['Amount', <Money key="amount" amount={payment.amount} asset={payment.currency} />],
      ['Matched', <Money key="matched" amount={payment.matched} asset={payment.currency} />],
      ['From', <bdi key="payer">{payment.payer}</bdi>],
      ['Reference', <bdi key="reference">{payment.reference}</bdi>],
      ['Imported', <Moment key="imported" at={payment.importedAt} />],
      ['By', <bdi key="by">{payment.importedBy}</bdi>],
    ]}
  />
);

const reasons: Readonly<Record<Proposal['reasons'][number], string>> = {
  number: 'the reference names it',
  amount: 'the amount is what is open',
  sum: 'the amount is all that the customer owes',
  name: 'payer and customer are called alike',
  'known-payer': 'the payer has paid for this customer before',
};

interface ProposalsProps {
  readonly id: string;
  readonly onChoose: ((wanted: Wanted) => void) | undefined;
}

/** Which invoices it may be of, the likeliest first, and why. Nothing is matched by them. */
function Proposals({ id, onChoose }: ProposalsProps) {
  const proposals = useRead(['bank-payments', id, 'proposals'], async () =>
    ok(billing.GET('/bank-payments/{id}/proposals', { params: { path: { id } } })),
  );
  const columns: readonly Column<Proposal>[] = [
    column.text('Customer', ({ customerName }) => customerName, 'minmax(12rem, 2fr)'),
    column.text('Invoices', ({ invoices }) => invoices.map(({ number }) => number).join(', '), 'minmax(9rem, 1fr)'),
    column.money(
      'Open of them',
      ({ invoices }) => sumMoney(invoices.map(({ amount }) => amount)),
      () => 'USD',
    ),
    column.text('Sure', ({ confidence }) => `${confidence} %`, '5rem'),
    column.text('Because', (row) => row.reasons.map((name) => reasons[name]).join('; '), 'minmax(16rem, 3fr)'),
  ];
  return (
    <Section title="What it may be of">
      <Shown of={proposals}>
        {({ items }) => (
          <Table
            name="proposals"
            columns={columns}
            list={wholeList(items)}
            keyOf={({ customer, invoices }) => `${customer} ${invoices.map(({ invoice }) => invoice).join(' ')}`}
            {...(onChoose === undefined
              ? {}
              : {
                  onOpen: ({ invoices: [first] }: Proposal) =>
                    onChoose({ use: 'invoice', invoice: first?.invoice ?? '' }),
                })}
            empty="Nothing speaks for any open invoice."
          />
        )}
      </Shown>
    </Section>
  );
}

/** What it was matched to. A match that was wrong is taken back, and stays to be seen. */
function Matches({ payment: { id, currency } }: { readonly payment: BankPayment }) {
  const mayMoney = useMay('money');
  const [open, setOpen] = useState<Match>();
  const matches = useRead(['bank-payments', id, 'matches'], async () =>
    ok(billing.GET('/bank-payments/{id}/matches', { params: { path: { id } } })),
  );
  const columns: readonly Column<Match>[] = [
    {
      title: 'Invoice',
      text: ({ number, invoice }) => number ?? invoice ?? '',
      cell: ({ number, invoice }) =>
        invoice === null ? 'credit' : <Link href={`/invoices/${invoice}`}>{number ?? invoice}</Link>,
    },
    column.money(
      'Amount',
      ({ amount }) => amount,
      () => currency,
    ),
    column.state('State', ({ state }) => state, '7rem'),
    column.text('By', ({ rule, matchedBy }) => matchedBy ?? rule),
    column.moment('Matched', ({ matchedAt }) => matchedAt),
    column.text('Taken back by', ({ undoneBy }) => undoneBy),
    column.text('Why', ({ why }) => why),
  ];
  return (
    <Section title="Matches">
      <Shown of={matches}>
        {({ items }) => (
          <Table
            name="matches"
            columns={columns}
            list={wholeList(items)}
            keyOf={(match) => match.id}
            {...(mayMoney ? { onOpen: (match: Match) => (match.state === 'final' ? setOpen(match) : undefined) } : {})}
            empty="Nothing of it is matched."
          />
        )}
      </Shown>
      {open === undefined ? null : <UnmatchDialog payment={id} match={open} onClose={() => setOpen(undefined)} />}
    </Section>
  );
}
