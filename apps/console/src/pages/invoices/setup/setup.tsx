import { useParams } from 'wouter';
import { Page } from '../../../ui/page.js';
import { Empty } from '../../../ui/states.js';
import { SubNav } from '../../../ui/subnav.js';
import { InvoicesNav } from '../nav.js';
import { bankAccounts } from './bank-accounts.js';
import { contracts } from './contracts.js';
import { customers } from './customers.js';
import { MasterList } from './master-list.js';
import { sellers } from './sellers.js';
import { taxRates } from './tax-rates.js';

const parts = {
  sellers: { title: sellers.title, list: <MasterList key="sellers" kind={sellers} /> },
  customers: { title: customers.title, list: <MasterList key="customers" kind={customers} /> },
  contracts: { title: contracts.title, list: <MasterList key="contracts" kind={contracts} /> },
  'tax-rates': { title: taxRates.title, list: <MasterList key="tax-rates" kind={taxRates} /> },
  'bank-accounts': { title: bankAccounts.title, list: <MasterList key="bank-accounts" kind={bankAccounts} /> },
} as const;

/** What invoices are made with: who sells, who is invoiced and for what, the taxes, where payments come in. */
export default function Setup() {
  const { what = 'sellers' } = useParams<{ what?: string }>();
  const part = Object.entries(parts).find(([name]) => name === what)?.[1];
  return (
    <Page title={part?.title ?? 'Set-up'} above={{ href: '/invoices', title: 'Invoices' }}>
      <InvoicesNav />
      <SubNav
        label="Set-up"
        of={Object.entries(parts).map(([name, { title }]) => ({ href: `/invoices/setup/${name}`, title }))}
      />
      {part?.list ?? <Empty>There is no such list.</Empty>}
    </Page>
  );
}
