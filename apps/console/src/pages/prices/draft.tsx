import type { Plan } from '../../api/catalogue.js';
import { type PlanTerms, priceOf } from '../../format/plan-cost.js';
import { Field, Select } from '../../ui/fields.js';

type Overage = PlanTerms['overage'];

/** A plan as it is written in its form. */
interface Draft {
  readonly slug: string;
  readonly includedUnits: string;
  readonly overage: Overage;
  readonly overagePrice: string;
  readonly monthlyPrice: string;
}

const overages = [
  { id: 'reject', label: 'Calls are refused' },
  { id: 'invoice', label: 'They are put on the invoice' },
  { id: 'x402', label: 'They are paid by wallet' },
] as const;

export const slugShape = /^[a-z0-9][a-z0-9-]{0,62}$/;
const priceShape = /^\d{1,12}(\.\d{1,6})?$/;
const unitsShape = /^\d{1,15}$/;

/** Without the zeros that say nothing: `$49.000000` is `49`. */
const plain = (price: string | null): string => (price === null ? '' : priceOf(price).replace(/\.?0*$/, ''));

export const draftOf = (from: Plan | undefined): Draft => ({
  slug: from?.slug ?? '',
  includedUnits: from?.includedUnits ?? '0',
  overage: from?.overage ?? 'reject',
  overagePrice: plain(from?.overagePrice ?? null),
  monthlyPrice: plain(from?.monthlyPrice ?? '$0.000000'),
});

/** The terms that are written; undefined while something is missing or wrong. */
export function termsOf({ includedUnits, overage, overagePrice, monthlyPrice }: Draft): PlanTerms | undefined {
  const isSold = overage !== 'reject';
  if (!unitsShape.test(includedUnits) || !priceShape.test(monthlyPrice)) return undefined;
  if (isSold && !priceShape.test(overagePrice)) return undefined;
  return { includedUnits, overage, overagePrice: isSold ? `$${overagePrice}` : null, monthlyPrice: `$${monthlyPrice}` };
}

interface PlanFieldsProps {
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
  readonly isNew: boolean;
  readonly isTaken: boolean;
}

export const PlanFields = ({ draft, onChange, isNew, isTaken }: PlanFieldsProps) => (
  <div className="columns">
    <div>
      {isNew ? (
        <Field
          label="Name"
          value={draft.slug}
          onChange={(slug) => onChange({ ...draft, slug })}
          maxLength={63}
          isRequired
          autoFocus
          hint={
            isTaken
              ? 'There is a plan of this name: make its next version on its page.'
              : 'Lower-case letters, digits and -.'
          }
        />
      ) : null}
      <Field
        label="Price of a month, in dollars"
        value={draft.monthlyPrice}
        onChange={(monthlyPrice) => onChange({ ...draft, monthlyPrice })}
        isRequired
        hint="Such as 49 or 49.50."
      />
      <Field
        label="Units included"
        value={draft.includedUnits}
        onChange={(includedUnits) => onChange({ ...draft, includedUnits })}
        isRequired
      />
    </div>
    <div>
      <Select
        label="What becomes of calls beyond them"
        value={draft.overage}
        onChange={(id) => onChange({ ...draft, overage: id as Overage })}
        choices={overages}
      />
      {draft.overage === 'reject' ? null : (
        <Field
          label="Price of a unit beyond them, in dollars"
          value={draft.overagePrice}
          onChange={(overagePrice) => onChange({ ...draft, overagePrice })}
          isRequired
          hint="At most six decimals, such as 0.0005. 0 is a price."
        />
      )}
    </div>
  </div>
);
