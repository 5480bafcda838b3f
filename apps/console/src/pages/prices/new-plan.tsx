import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { type Plan, planName } from '../../api/catalogue.js';
import { gate, ok } from '../../api/client.js';
import type { PlanTerms } from '../../format/plan-cost.js';
import { FormDialog } from '../../ui/dialog.js';
import { PlanWords } from '../../ui/plan.js';
import { draftOf, PlanFields, slugShape, termsOf } from './draft.js';
import type { Account } from './effect.js';
import { Effects } from './effects.js';

interface NewPlanProps {
  readonly plans: readonly Plan[];
  /** The version that the next one begins from; without it a new plan is made. */
  readonly from?: Plan;
  /** Who is on the plan. */
  readonly accounts?: readonly Account[];
  readonly onClose: () => void;
}

/** A plan, or its next version, and what it would do to whom. */
export function NewPlan({ plans, from, accounts = [], onClose }: NewPlanProps) {
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const [draft, setDraft] = useState(() => draftOf(from));
  const terms = termsOf(draft);
  const isTaken = from === undefined && plans.some(({ slug }) => slug === draft.slug);
  const make = async ({ includedUnits, overage, overagePrice, monthlyPrice }: PlanTerms): Promise<void> => {
    const { slug } = await ok(
      gate.POST('/admin/plans', {
        body: {
          slug: draft.slug,
          includedUnits: Number(includedUnits),
          overage,
          monthlyPrice,
          ...(overagePrice === null ? {} : { overagePrice }),
        },
      }),
    );
    await queries.invalidateQueries({ queryKey: ['plans'] });
    navigate(`/prices/plans/${slug}`);
  };
  return (
    <FormDialog
      title={from === undefined ? 'New plan' : `Next version of ${from.slug}`}
      action={from === undefined ? 'Make the plan' : `Make version ${from.version + 1}`}
      isOpen
      isWide
      isReady={terms !== undefined && slugShape.test(draft.slug) && !isTaken}
      onClose={onClose}
      onSubmit={async () => (terms === undefined ? undefined : make(terms))}
    >
      <PlanFields draft={draft} onChange={setDraft} isNew={from === undefined} isTaken={isTaken} />
      <p className="note" role="status">
        {terms === undefined ? 'Something is missing, or is no number.' : <PlanWords plan={terms} />}
      </p>
      {from === undefined ? null : (
        <>
          <p className="note">
            Making it changes nothing for anybody: each account stays on the version that it has ({planName(from)} is
            the newest). Who opens an account from now on gets it; others are moved on the page of the plan, or on their
            own.
          </p>
          {terms === undefined ? null : <Effects accounts={accounts} terms={terms} />}
        </>
      )}
    </FormDialog>
  );
}
