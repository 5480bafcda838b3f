import { Link, useParams } from 'wouter';
import { gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { networkName } from '../../format/token.js';
import { Facts, Page, Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { TokenMoney } from '../../ui/token-money.js';
import { Badge, Id } from '../../ui/values.js';
import { Life, type PaymentDetail } from './life.js';
import { causeWords, flowName } from './words.js';

/** One payment, from its presentation to its last block. */
export default function PaymentPage() {
  const { id } = useParams<{ readonly id: string }>();
  const payment = useRead(
    ['payment', id],
    async () => ok(gate.GET('/admin/payments/{id}', { params: { path: { id } } })),
    { everyMs: 15_000 },
  );
  return (
    <Page title="Payment" above={{ href: '/payments', title: 'Payments' }}>
      <Shown of={payment}>{(shown) => <One payment={shown} />}</Shown>
    </Page>
  );
}

function One({ payment }: { readonly payment: PaymentDetail }) {
  const { network, asset, state, flow, account } = payment;
  return (
    <>
      <Facts
        of={[
          ['State', <Badge key="state" state={state} />],
          ['Amount', <TokenMoney key="amount" network={network} asset={asset} amount={payment.amount} />],
          ['Settled', flowName(flow)],
          ['Network', `${networkName(network)} (${network})`],
          ['Payer', <PayerLink key="payer" payer={payment.payer} />],
          ['Paid to', <Id key="to" value={payment.payTo} />],
          ['Token', <Id key="token" value={asset} />],
          ['Nonce of the authorization', <Id key="nonce" value={payment.nonce} />],
          ...(account === null
            ? []
            : [
                [
                  'Account, beyond its plan',
                  <Link key="account" href={`/customers/${account}`}>
                    {account}
                  </Link>,
                ] as const,
              ]),
          ['Id', <Id key="id" value={payment.id} length={36} />],
        ]}
      />
      {payment.cause === null ? null : (
        <div className="note section" role="note">
          <strong>Why it was refused:</strong> {causeWords(payment.cause)} <code>{payment.cause}</code>
        </div>
      )}
      <Section title="Its life">
        <Life payment={payment} />
      </Section>
      <Section title="What its caller should do">
        <p>{payment.advice}</p>
        <p>
          <Link href={`/receipts?id=${payment.id}`}>Its receipt and its entry</Link>
        </p>
      </Section>
    </>
  );
}

const PayerLink = ({ payer }: { readonly payer: string }) => (
  <>
    <Id value={payer} /> <Link href={`/payments?payer=${payer}`}>all of this payer</Link>
  </>
);
