import { useAddress } from '../../ui/address.js';
import { Page } from '../../ui/page.js';
import { Tabs } from '../../ui/tabs.js';
import { AttemptsPart } from './attempts-part.js';
import { BatchesPart } from './batches-part.js';
import { ExposurePart } from './exposure-part.js';
import { RefundsPart } from './refunds-part.js';

const parts = [
  { id: 'attempts', title: 'Attempts', Body: AttemptsPart },
  { id: 'batches', title: 'Settlements and batches', Body: BatchesPart },
  { id: 'exposure', title: 'Deferred exposure', Body: ExposurePart },
  { id: 'refunds', title: 'Refunds', Body: RefundsPart },
] as const;

const unfiltered = { part: '' };

/** Payments by wallet: what was tried, what moved, what is open, what is owed back. */
export default function Payments() {
  const [filters] = useAddress(unfiltered);
  const { id, Body } = parts.find((one) => one.id === filters.part) ?? parts[0];
  return (
    <Page title="Payments">
      <Tabs label="Parts of payments" tabs={parts} current={id} />
      <Body />
    </Page>
  );
}
