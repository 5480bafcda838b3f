import { Page } from '../../ui/page.js';
import { Months } from './months.js';
import { Queue } from './queue.js';
import { Runs } from './runs.js';

/** What does not agree, and the months that it keeps open. */
export default function Reconciliation() {
  return (
    <Page title="Reconciliation">
      <Queue />
      <div className="columns">
        <Months />
        <Runs />
      </div>
    </Page>
  );
}
