import { Page, Section } from '../../ui/page.js';
import { GasReadings } from './gas-readings.js';
import { OperationsNav } from './nav.js';
import { Wallets } from './wallets.js';

/** Which wallets have a name, and what the settlers hold. */
export default function Treasury() {
  return (
    <Page title="Treasury" above={{ href: '/operations', title: 'Operations' }}>
      <OperationsNav />
      <Section title="Wallets">
        <Wallets />
      </Section>
      <Section title="Gas readings">
        <GasReadings />
      </Section>
    </Page>
  );
}
