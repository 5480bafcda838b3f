import { useAddress } from '../../ui/address.js';
import { Page } from '../../ui/page.js';
import { Tabs } from '../../ui/tabs.js';
import { PlansPart } from './plans-part.js';
import { RoutesPart } from './routes-part.js';

const parts = [
  { id: 'plans', title: 'Plans', Body: PlansPart },
  { id: 'routes', title: 'Prices of routes', Body: RoutesPart },
] as const;

const unfiltered = { part: '' };

/** What is sold, and at which price: plans for keys, prices for wallets. */
export default function Prices() {
  const [filters] = useAddress(unfiltered);
  const { id, Body } = parts.find((one) => one.id === filters.part) ?? parts[0];
  return (
    <Page title="Prices and plans">
      <Tabs label="Parts of the catalogue" tabs={parts} current={id} />
      <Body />
    </Page>
  );
}
