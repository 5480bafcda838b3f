import { type PlanTerms, priceOf } from '../format/plan-cost.js';
import { Count, Money } from './values.js';

/** What is agreed in a plan, in a sentence. */
export const PlanWords = ({ plan }: { readonly plan: PlanTerms }) => (
  <>
    <Money amount={priceOf(plan.monthlyPrice)} asset="USD" /> a month, <Count value={plan.includedUnits} /> units
    included, then <Beyond plan={plan} />
  </>
);

function Beyond({ plan }: { readonly plan: PlanTerms }) {
  if (plan.overage === 'reject' || plan.overagePrice === null) return <>calls are refused</>;
  return (
    <>
      <Money amount={priceOf(plan.overagePrice)} asset="USD" /> a unit,{' '}
      {plan.overage === 'invoice' ? 'on the invoice' : 'paid by wallet'}
    </>
  );
}
