import type { components } from '@keyfare/api-types/gate';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { type Step, Steps } from '../../ui/steps.js';
import { Badge, Count, Id, Moment } from '../../ui/values.js';

export type PaymentDetail = components['schemas']['PaymentDetail'];
type Told = PaymentDetail['steps'][number];
type Name = Told['step'];

const titles: Readonly<Record<Name, string>> = {
  claimed: 'Presented and claimed',
  served: 'Served',
  sent: 'Sent to the chain',
  mined: 'In a block',
  final: 'Final',
  failed: 'Nothing was paid',
  expired: 'It ran out',
  'refund-due': 'Owed back',
};

const bad: ReadonlySet<Name> = new Set(['failed', 'expired', 'refund-due']);
const ends: ReadonlySet<string> = new Set(['final', 'failed', 'expired']);

/** The steps of a payment on its way into a block and beyond; those to come are there too. */
export function Life({ payment }: { readonly payment: PaymentDetail }) {
  const told = payment.steps.map(
    (step): Step => ({
      title: titles[step.step],
      state: bad.has(step.step) ? 'failed' : 'done',
      at: step.at,
      children: details[step.step](step, payment),
    }),
  );
  return <Steps of={[...told, ...toCome(payment)]} />;
}

function toCome({ state, steps }: PaymentDetail): readonly Step[] {
  if (ends.has(state)) return [];
  const has = new Set(steps.map(({ step }) => step));
  const open = (['sent', 'mined', 'final'] as const).filter((name) => !has.has(name));
  return open.map((name, index) => ({ title: titles[name], state: index === 0 ? 'now' : 'open' }));
}

const nothing = (): ReactNode => 'Nothing moved, and nothing will with this authorization.';

/** What is said below each step. */
const details: Readonly<Record<Name, (step: Told, payment: PaymentDetail) => ReactNode>> = {
  claimed: () =>
    'Amount, payee, network, time and signature were right, the transfer was simulated and the balance was there.',
  served: (_, payment) => servedWords(payment),
  sent: ({ transaction }, payment) => <Sent transaction={transaction} payment={payment} />,
  mined: (step, payment) => <Mined step={step} payment={payment} />,
  final: () => 'So many blocks are on top of it that it cannot be dropped.',
  failed: nothing,
  expired: nothing,
  'refund-due': () => <Link href="/payments?part=refunds">To the refunds</Link>,
};

const servedWords = ({ flow }: PaymentDetail): string => {
  if (flow === 'deferred') return 'On the promise of the signature; the money is collected later, with others.';
  return flow === 'upfront' ? 'After the money had moved.' : 'The answer left when the transfer was in a block.';
};

function Sent({
  transaction,
  payment: { attempts },
}: {
  readonly transaction: string | null;
  readonly payment: PaymentDetail;
}) {
  const attempt = attempts.find((one) => one.transaction === transaction);
  if (attempt === undefined) return <Id value={transaction} />;
  return (
    <>
      Transaction <Id value={attempt.transaction} /> by <Id value={attempt.wallet} />, number{' '}
      <Count value={attempt.walletNonce} />, at most <Count value={attempt.maxFeePerGas} /> wei a gas{' '}
      <Badge state={attempt.state} />
    </>
  );
}

function Mined({ step, payment }: { readonly step: Told; readonly payment: PaymentDetail }) {
  const { chain, batchSize, cause } = payment;
  const transaction = step.transaction ?? payment.transaction;
  return (
    <>
      Block <Count value={step.block} />, transaction <Id value={transaction} />
      {cause === null ? '' : ', which moved nothing for this payment'}.{' '}
      {transaction === null || batchSize === 0 ? null : (
        <Link href={`/payments?transaction=${transaction}`}>
          {batchSize === 1 ? 'It carries this payment alone' : `It carries ${batchSize} payments`}
        </Link>
      )}
      {chain === null ? null : <OnChain chain={chain} />}
    </>
  );
}

const OnChain = ({ chain }: { readonly chain: NonNullable<PaymentDetail['chain']> }) =>
  chain.state === 'unavailable' ? (
    <p className="muted">The node did not answer, so its block is not known now ({chain.reason}).</p>
  ) : (
    <p className="muted">
      <Count value={chain.confirmations} /> blocks on top of it; final after <Count value={chain.finalAfter} />. Block
      time <Moment at={chain.blockAt} />.
    </p>
  );
