import { useState } from 'react';
import { useLocation } from 'wouter';
import { newest, type Plan, planName, usePlans } from '../../api/catalogue.js';
import { useMay } from '../../api/hooks.js';
import { priceOf } from '../../format/plan-cost.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Select } from '../../ui/fields.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Count, Money } from '../../ui/values.js';
import { NewPlan } from './new-plan.js';

const beyond = { reject: 'calls are refused', invoice: 'on the invoice', x402: 'paid by wallet' } as const;

const unfiltered = { versions: '' };

/** The plans, each with its versions. */
export function PlansPart() {
  const [, navigate] = useLocation();
  const [filters, setFilters] = useAddress(unfiltered);
  const mayMoney = useMay('money');
  const plans = usePlans();
  const [isMaking, setMaking] = useState(false);
  const isAll = filters.versions === 'all';
  return (
    <>
      <div className="filters">
        <Select
          label="Versions"
          value={isAll ? 'all' : 'newest'}
          onChange={(id) => setFilters({ versions: id === 'all' ? id : '' })}
          choices={[
            { id: 'newest', label: 'the newest of each plan' },
            { id: 'all', label: 'all' },
          ]}
        />
      </div>
      <Shown of={plans} what="Reading the plans">
        {(all) => {
          const tops = newest(all);
          return (
            <Table
              name="plans"
              columns={columnsOf(new Set(tops.map(({ id }) => id)))}
              list={wholeList(isAll ? all : tops)}
              keyOf={({ id }) => id}
              onOpen={({ slug }) => navigate(`/prices/plans/${slug}`)}
              empty="There is no plan yet: without one no account can be opened."
              actions={
                mayMoney ? (
                  <Button look="primary" onPress={() => setMaking(true)}>
                    New plan
                  </Button>
                ) : undefined
              }
            />
          );
        }}
      </Shown>
      {isMaking ? <NewPlan plans={plans.data ?? []} onClose={() => setMaking(false)} /> : null}
    </>
  );
}

const columnsOf = (tops: ReadonlySet<string>): readonly Column<Plan>[] => [
  {
    title: 'Plan',
    text: planName,
    cell: (plan) => (
      <>
        {planName(plan)} {tops.has(plan.id) ? null : <Badge state="older" />}
      </>
    ),
    width: 'minmax(11rem, 1.5fr)',
  },
  {
    title: 'A month',
    text: ({ monthlyPrice }) => priceOf(monthlyPrice),
    cell: ({ monthlyPrice }) => <Money amount={priceOf(monthlyPrice)} asset="USD" />,
    isNumber: true,
  },
  {
    title: 'Units included',
    text: ({ includedUnits }) => includedUnits,
    cell: ({ includedUnits }) => <Count value={includedUnits} />,
    isNumber: true,
  },
  { title: 'Beyond them', text: ({ overage }) => beyond[overage], width: '10rem' },
  {
    title: 'A unit beyond',
    text: ({ overagePrice }) => (overagePrice === null ? '' : priceOf(overagePrice)),
    cell: ({ overagePrice }) => <Money amount={overagePrice === null ? null : priceOf(overagePrice)} asset="USD" />,
    isNumber: true,
  },
];
