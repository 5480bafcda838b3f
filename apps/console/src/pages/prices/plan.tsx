import { useState } from 'react';
import { useParams } from 'wouter';
import { type Plan, usePlans } from '../../api/catalogue.js';
import { useMay, useRead } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Page, Section } from '../../ui/page.js';
import { PlanWords } from '../../ui/plan.js';
import { Empty, Shown } from '../../ui/states.js';
import { Badge, Count, Id } from '../../ui/values.js';
import { type Account, readAccounts } from './effect.js';
import { NewPlan } from './new-plan.js';
import { PlanAccounts } from './plan-accounts.js';

/** One plan: its versions and who is on which. */
export default function PlanPage() {
  const { slug } = useParams<{ readonly slug: string }>();
  const mayMoney = useMay('money');
  const plans = usePlans();
  const accounts = useRead(['accounts', 'plan', slug], async () => readAccounts(slug));
  const [isMaking, setMaking] = useState(false);
  const versions = (plans.data ?? [])
    .filter((plan) => plan.slug === slug)
    .toSorted((one, other) => other.version - one.version);
  const [top] = versions;
  return (
    <Page
      title={`Plan ${slug}`}
      above={{ href: '/prices', title: 'Prices and plans' }}
      actions={
        mayMoney && top !== undefined && accounts.data !== undefined ? (
          <Button look="primary" onPress={() => setMaking(true)}>
            Next version
          </Button>
        ) : undefined
      }
    >
      <Shown of={plans} what="Reading the plans">
        {(all) =>
          top === undefined ? (
            <Empty>There is no plan of this name.</Empty>
          ) : (
            <Shown of={accounts} what="Reading who is on it">
              {({ items, isCut }) => (
                <>
                  <Versions versions={versions} accounts={items} />
                  {isCut ? (
                    <p className="note">More accounts are on it than the {items.length} that were read.</p>
                  ) : null}
                  <PlanAccounts versions={versions} accounts={items} />
                  {isMaking ? (
                    <NewPlan plans={all} from={top} accounts={items} onClose={() => setMaking(false)} />
                  ) : null}
                </>
              )}
            </Shown>
          )
        }
      </Shown>
    </Page>
  );
}

interface VersionsProps {
  /** The newest first. */
  readonly versions: readonly Plan[];
  readonly accounts: readonly Account[];
}

const Versions = ({ versions, accounts }: VersionsProps) => (
  <Section title="Versions">
    <div className="scroll" tabIndex={0} role="region" aria-label="Versions">
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">What is agreed</th>
            <th scope="col" className="number">
              Accounts on it
            </th>
            <th scope="col">Id</th>
          </tr>
        </thead>
        <tbody>
          {versions.map(({ id, version, ...terms }, index) => (
            <tr key={id}>
              <th scope="row">
                {version} {index === 0 ? <Badge state="newest" tone="info" /> : null}
              </th>
              <td>
                <PlanWords plan={terms} />
              </td>
              <td className="number">
                <Count value={accounts.filter(({ plan, status }) => plan.id === id && status !== 'closed').length} />
              </td>
              <td>
                <Id value={id} length={20} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  </Section>
);
