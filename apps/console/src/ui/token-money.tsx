import { tokenAmount } from '../format/token.js';
import { Count, Id, Money } from './values.js';

/** An amount in a token's smallest unit. Of a token that is not known its count and its contract are shown. */
export function TokenMoney({
  network,
  asset,
  amount,
}: {
  readonly network: string;
  readonly asset: string;
  readonly amount: string;
}) {
  const known = tokenAmount({ network, asset }, amount);
  if (known !== null) return <Money amount={known.amount} asset={known.asset} />;
  return (
    <>
      <Count value={amount} /> smallest units of <Id value={asset} />
    </>
  );
}
