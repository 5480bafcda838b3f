import { Count, Money } from '../../ui/values.js';

interface Range {
  readonly min: string;
  readonly max: string;
}

/** A price, or from the least to the most. */
export const Between = ({ range: { min, max }, asset }: { readonly range: Range; readonly asset: string }) => (
  <>
    <Money amount={min} asset={asset} />
    {min === max ? null : (
      <>
        {' '}
        to <Money amount={max} asset={asset} />
      </>
    )}
  </>
);

export const BetweenCounts = ({ range: { min, max } }: { readonly range: Range }) => (
  <>
    <Count value={min} />
    {min === max ? null : (
      <>
        {' '}
        to <Count value={max} />
      </>
    )}
  </>
);
