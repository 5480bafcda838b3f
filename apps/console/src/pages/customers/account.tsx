import { useState } from 'react';
import { useParams } from 'wouter';
import { planName } from '../../api/catalogue.js';
import { gate, tagged } from '../../api/client.js';
import { useMay, useRead } from '../../api/hooks.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Facts, Page } from '../../ui/page.js';
import { PlanWords } from '../../ui/plan.js';
import { Fault, Loading } from '../../ui/states.js';
import { Tabs } from '../../ui/tabs.js';
import { Badge, Id, Moment } from '../../ui/values.js';
import { type Change, ChangeAccount } from './change-account.js';
import { ContractPart } from './contract-part.js';
import type { Account } from './customers.js';
import { HistoryPart } from './history-part.js';
import { KeysPart } from './keys-part.js';
import { MoneyPart } from './money-part.js';
import { UsagePart } from './usage-part.js';

const parts = [
  { id: 'usage', title: 'Usage and plans' },
  { id: 'keys', title: 'Keys' },
  { id: 'contract', title: 'Contract' },
  { id: 'money', title: 'Invoices and payments' },
  { id: 'history', title: 'History' },
] as const;

const unfiltered = { part: '' };

/** One account: what it has agreed, uses, owes and has been through. */
export default function AccountPage() {
  const { id } = useParams<{ readonly id: string }>();
  const [filters] = useAddress(unfiltered);
  const part = parts.find((one) => one.id === filters.part)?.id ?? 'usage';
  const { data, error, refetch } = useRead(['account', id], async () =>
    tagged(gate.GET('/admin/accounts/{id}', { params: { path: { id } } })),
  );
  const above = { href: '/customers', title: 'Customers' };
  if (data === undefined) {
    return (
      <Page title="Account" above={above}>
        {error === null ? <Loading /> : <Fault error={error} again={() => void refetch()} />}
      </Page>
    );
  }
  const account = data.data;
  return (
    <Page title={account.name} above={above} actions={<Actions account={account} etag={data.etag} />}>
      {error === null ? null : <Fault error={error} again={() => void refetch()} />}
      <Facts
        of={[
          ['Status', <Badge key="status" state={account.status} />],
          ['Plan', planName(account.plan)],
          ['Agreed', <PlanWords key="plan" plan={account.plan} />],
          ['Opened', <Moment key="opened" at={account.createdAt} />],
          ['Ends', <Moment key="ends" at={account.endsAt} />],
          ['Id', <Id key="id" value={account.id} length={24} />],
        ]}
      />
      <div className="section">
        <Tabs label="Parts of the account" tabs={parts} current={part} />
        {part === 'usage' ? <UsagePart account={account} /> : null}
        {part === 'keys' ? <KeysPart account={account} /> : null}
        {part === 'contract' ? <ContractPart account={account} /> : null}
        {part === 'money' ? <MoneyPart account={account} /> : null}
        {part === 'history' ? <HistoryPart account={account} /> : null}
      </div>
    </Page>
  );
}

function Actions({ account, etag }: { readonly account: Account; readonly etag: string }) {
  const mayWrite = useMay('write');
  const [change, setChange] = useState<Change>();
  if (!mayWrite || account.status === 'closed') return null;
  return (
    <>
      <Button onPress={() => setChange('plan')}>Change plan</Button>
      <Button onPress={() => setChange('name')}>Rename</Button>
      <Button onPress={() => setChange('end')}>Set an end</Button>
      <Button onPress={() => setChange('status')}>{account.status === 'active' ? 'Suspend' : 'Make active'}</Button>
      <Button look="danger" onPress={() => setChange('close')}>
        Close
      </Button>
      {change === undefined ? null : (
        <ChangeAccount account={account} etag={etag} change={change} onClose={() => setChange(undefined)} />
      )}
    </>
  );
}
