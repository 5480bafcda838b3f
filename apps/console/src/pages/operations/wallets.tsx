import type { components } from '@keyfare/api-types/billing';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok, tagged } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { filled, useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { type Column, Table } from '../../ui/table.js';

type Wallet = components['schemas']['Wallet'];
type Kind = Wallet['kind'];

const kinds: Readonly<Record<Kind, string>> = {
  till: 'Till: ours, payments go to it',
  treasury: 'Treasury: ours, what is earned is kept there',
  settler: 'Settler: ours, it sends the settlements',
  service: "Service: another service's that shares a till",
  other: "Other: somebody else's, with a name",
};
const kindOf = (text: string): Kind | undefined => (Object.keys(kinds) as Kind[]).find((kind) => kind === text);
const sinceAll = (since: string): boolean => since.startsWith('1970-01-01');

const columns: readonly Column<Wallet>[] = [
  column.text('Name', ({ label }) => label, 'minmax(10rem, 2fr)'),
  column.text('Kind', ({ kind }) => kind, '7rem'),
  column.text('Network', ({ network }) => network, '9rem'),
  column.text('Address', ({ address }) => address, '27rem'),
  {
    ...column.day<Wallet>('Counts from', ({ since }) => since),
    cell: ({ since }) => (sinceAll(since) ? 'the beginning' : since.slice(0, 10)),
  },
  column.state('Read through', ({ applied }) => (applied ? 'done' : 'under way'), '8rem'),
  column.moment('Named', ({ addedAt }) => addedAt),
];

/** Addresses with a name. What one is of says how its transfers are booked. */
export function Wallets() {
  const mayMoney = useMay('money');
  const [filters, setFilters] = useAddress({ kind: '' });
  const [open, setOpen] = useState<Wallet | 'new'>();
  const kind = kindOf(filters.kind);
  const list = useEndless(['wallets', kind], async (cursor) =>
    ok(
      billing.GET('/wallets', {
        params: { query: { ...filled({ limit: '200', cursor }), ...(kind === undefined ? {} : { kind }) } },
      }),
    ),
  );
  return (
    <>
      <div className="filters" role="search">
        <Select
          label="Kind"
          value={filters.kind}
          onChange={(id) => setFilters({ kind: id })}
          choices={[{ id: '', label: 'All' }, ...Object.entries(kinds).map(([id, label]) => ({ id, label }))]}
        />
      </div>
      <Table
        name="wallets"
        columns={columns}
        list={list}
        keyOf={({ network, address }) => `${network} ${address}`}
        {...(mayMoney ? { onOpen: (wallet: Wallet) => setOpen(wallet) } : {})}
        actions={
          mayMoney ? (
            <Button look="primary" onPress={() => setOpen('new')}>
              Name a wallet
            </Button>
          ) : undefined
        }
      />
      {open === undefined ? null : (
        <WalletForm {...(open === 'new' ? {} : { wallet: open })} onClose={() => setOpen(undefined)} />
      )}
    </>
  );
}

function WalletForm({ wallet, onClose }: { readonly wallet?: Wallet; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [address, setAddress] = useState(wallet?.address ?? '');
  const [kind, setKind] = useState<Kind>(wallet?.kind ?? 'treasury');
  const [label, setLabel] = useState(wallet?.label ?? '');
  const [since, setSince] = useState(wallet === undefined || sinceAll(wallet.since) ? '' : wallet.since.slice(0, 10));
  const body = { kind, label: label.trim(), ...(since === '' ? {} : { since: `${since}T00:00:00.000Z` }) };
  const change = async (of: string): Promise<unknown> => {
    const path = { path: { address: of } };
    const { etag } = await tagged(billing.GET('/wallets/{address}', { params: path }));
    return ok(billing.PATCH('/wallets/{address}', { params: path, headers: { 'if-match': etag }, body }));
  };
  return (
    <FormDialog
      title={wallet === undefined ? 'Name a wallet' : 'Change the name of a wallet'}
      action={wallet === undefined ? 'Name it' : 'Change'}
      isOpen
      isReady={label.trim() !== '' && /^0x[0-9a-fA-F]{40}$/.test(address)}
      onClose={onClose}
      onSubmit={async () => {
        await (wallet === undefined ? ok(billing.POST('/wallets', { body: { ...body, address } })) : change(address));
        await queries.invalidateQueries({ queryKey: ['wallets'] });
      }}
    >
      <p>
        A name counts backwards: with the next look at the chain the books move what it explains, and breaks that it
        explains close.
      </p>
      {wallet === undefined ? (
        <Field label="Address" value={address} onChange={setAddress} placeholder="0x…" isRequired />
      ) : (
        <p>
          <code>{address}</code>
        </p>
      )}
      <Select
        label="Kind"
        value={kind}
        onChange={(id) => setKind(kindOf(id) ?? kind)}
        choices={Object.entries(kinds).map(([id, text]) => ({ id, label: text }))}
      />
      <Field label="Name" value={label} onChange={setLabel} isRequired />
      <Field
        label="Counts from (may be empty)"
        type="date"
        value={since}
        onChange={setSince}
        hint="Empty: all that is on the chain."
      />
    </FormDialog>
  );
}
