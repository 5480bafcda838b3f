import { Link } from 'wouter';
import { type Step, Steps } from '../../ui/steps.js';
import { Badge, Count, Id, Moment } from '../../ui/values.js';
import type { Payment } from './attempts-part.js';

interface LifeProps {
  readonly payment: Payment;
  readonly isMoving: boolean;
}

/** The steps of a payment on its way into a block and beyond. */
export const Life = ({ payment, isMoving }: LifeProps) => <Steps of={stepsOf(payment, isMoving)} />;

function stepsOf(payment: Payment, isMoving: boolean): readonly Step[] {
  const { state, flow, servedAt, refundDueAt, attempts } = payment;
  const isOver = state === 'failed' || state === 'expired';
  const isMined = state === 'settled' || state === 'final';
  const served: Step[] =
    servedAt === null && !isMined
      ? []
      : [{ title: 'Served', state: 'done', at: servedAt, children: servedWords(payment) }];
  const claimed: Step = {
    title: 'Presented and claimed',
    state: 'done',
    at: payment.claimedAt,
    children:
      'Amount, payee, network, time and signature were right, the transfer was simulated and the balance was there.',
  };
  const sent: Step = {
    title: 'Sent to the chain',
    state: attempts.length > 0 ? 'done' : isMoving ? 'now' : 'failed',
    at: attempts[0]?.createdAt ?? null,
    children: <Attempts payment={payment} />,
  };
  const mined: Step = {
    title: 'In a block',
    state: isMined ? 'done' : isOver ? 'failed' : attempts.length > 0 ? 'now' : 'open',
    children: isMined ? <Block payment={payment} /> : isOver ? <Nothing payment={payment} /> : undefined,
  };
  const final: Step = {
    title: 'Final',
    state: state === 'final' ? 'done' : isOver ? 'failed' : state === 'settled' ? 'now' : 'open',
    children:
      state === 'final'
        ? 'So many blocks are on top of it that it cannot be dropped.'
        : 'When enough blocks are on top of it.',
  };
  const refund: Step[] =
    refundDueAt === null
      ? []
      : [
          {
            title: 'Owed back',
            state: 'failed',
            at: refundDueAt,
            children: <Link href="/payments?part=refunds">To the refunds</Link>,
          },
        ];
  return flow === 'authorization' || flow === 'upfront'
    ? [claimed, sent, mined, ...served, final, ...refund]
    : [claimed, ...served, sent, mined, final, ...refund];
}

const servedWords = ({ flow }: Payment): string => {
  if (flow === 'deferred') return 'On the promise of the signature; the money is collected later, with others.';
  return flow === 'upfront' ? 'After the money had moved.' : 'The answer left when the transfer was in a block.';
};

const Nothing = ({ payment: { transaction } }: Pick<LifeProps, 'payment'>) =>
  transaction === null ? (
    <>No block has this payment.</>
  ) : (
    <>
      Transaction <Id value={transaction} /> is in a block and moved nothing for this payment.
    </>
  );

const Block = ({ payment }: { readonly payment: Payment }) => (
  <>
    Transaction <Id value={payment.transaction} />.{' '}
    {payment.transaction === null ? null : (
      <Link href={`/payments?part=batches&transaction=${payment.transaction}&month=${payment.claimedAt.slice(0, 7)}`}>
        What else is in it
      </Link>
    )}
  </>
);

function Attempts({ payment: { attempts, cause } }: { readonly payment: Payment }) {
  if (attempts.length === 0) return <>No transaction of ours has carried it.</>;
  return (
    <ul className="plain-list">
      {attempts.map(({ transaction, wallet, walletNonce, maxFeePerGas, createdAt, state }) => (
        <li key={transaction}>
          <Moment at={createdAt} /> transaction <Id value={transaction} /> by <Id value={wallet} />, number{' '}
          <Count value={walletNonce} />, at most <Count value={maxFeePerGas} /> wei a gas{' '}
          <Badge state={state === 'moved' && cause !== null ? 'mined' : state} />
        </li>
      ))}
    </ul>
  );
}
