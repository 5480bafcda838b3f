import { planName } from '../../api/catalogue.js';
import { costOn, type PlanTerms } from '../../format/plan-cost.js';
import { formatMonth } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { PlanWords } from '../../ui/plan.js';
import { Shown } from '../../ui/states.js';
import { Count, Money } from '../../ui/values.js';
import type { Account } from './customers.js';
import { useMonths } from './months.js';

interface PreviewProps {
  readonly account: Account;
  readonly plan: PlanTerms & { readonly slug: string; readonly version: number };
}

/** What a change of plan does to this account: to the month that runs, and by what its last months were. */
export function PlanPreview({ account, plan }: PreviewProps) {
  const { locale } = usePreferences();
  const months = useMonths(account.id);
  return (
    <>
      <dl className="facts">
        <div>
          <dt>Now: {planName(account.plan)}</dt>
          <dd>
            <PlanWords plan={account.plan} />
          </dd>
        </div>
        <div>
          <dt>Then: {planName(plan)}</dt>
          <dd>
            <PlanWords plan={plan} />
          </dd>
        </div>
      </dl>
      <p className="note">
        It holds at once. All units of the month that runs count against the new plan, those before the change too. Each
        plan&apos;s monthly price is divided by the seconds it held.
      </p>
      <Shown of={months} what="Reading its last months">
        {(all) => (
          <div className="scroll" tabIndex={0} role="region" aria-label="Whole months on both plans">
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">A whole month</th>
                  <th scope="col" className="number">
                    Units
                  </th>
                  <th scope="col" className="number">
                    {planName(account.plan)}
                  </th>
                  <th scope="col" className="number">
                    {planName(plan)}
                  </th>
                  <th scope="col" className="number">
                    Refused on it
                  </th>
                </tr>
              </thead>
              <tbody>
                {all.slice(-4).map(({ month, used }) => {
                  const next = costOn(plan, used);
                  return (
                    <tr key={month}>
                      <th scope="row">{formatMonth(month, locale)}</th>
                      <td className="number">
                        <Count value={used} />
                      </td>
                      <td className="number">
                        <Money amount={costOn(account.plan, used).total} asset="USD" />
                      </td>
                      <td className="number">
                        <Money amount={next.total} asset="USD" />
                      </td>
                      <td className="number">
                        <Count value={next.unitsRefused} />
                      </td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        )}
      </Shown>
    </>
  );
}
