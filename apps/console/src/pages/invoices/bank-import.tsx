import { useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { FormDialog } from '../../ui/dialog.js';
import { Select } from '../../ui/fields.js';
import { Facts } from '../../ui/page.js';
import { Fault, Loading } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Count, Day, Money } from '../../ui/values.js';
import type { BankAccount, BankStatement } from './kinds.js';

interface ImportDialogProps {
  readonly accounts: readonly BankAccount[];
  readonly onClose: () => void;
  readonly onDone: (imported: BankStatement) => void;
}

const columns: readonly Column<BankStatement['items'][number]>[] = [
  { title: 'Line', text: ({ line }) => `${line}`, width: '4rem', isNumber: true },
  { title: 'Day', text: ({ bookedOn }) => bookedOn, cell: ({ bookedOn }) => <Day of={bookedOn} />, width: '8rem' },
  { title: 'From', text: ({ payer }) => payer },
  { title: 'Reference', text: ({ reference }) => reference, width: 'minmax(10rem, 2fr)' },
  {
    title: 'Amount',
    text: ({ amount }) => amount,
    cell: ({ amount }) => <Money amount={amount} asset="USD" />,
    isNumber: true,
  },
];

/** The bytes as they are, for the API to find the encoding. */
async function base64Of(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(text);
}

const send = async (bankAccount: string, content: string, isPreview: boolean): Promise<BankStatement> =>
  ok(
    billing.POST('/bank-statements', {
      params: { query: { bankAccount, ...(isPreview ? { preview: 'true' as const } : {}) } },
      body: { content },
    }),
  );

/** Imports a statement: the choice of a file shows what would be stored, and only then it can be. */
export function ImportDialog({ accounts, onClose, onDone }: ImportDialogProps) {
  const queries = useQueryClient();
  const fileId = useId();
  const [bankAccount, setBankAccount] = useState(accounts[0]?.id ?? '');
  const [content, setContent] = useState<string>();
  const [preview, setPreview] = useState<BankStatement>();
  const [error, setError] = useState<unknown>();
  const [isReading, setReading] = useState(false);
  const look = async (account: string, text: string | undefined): Promise<void> => {
    setPreview(undefined);
    setError(undefined);
    if (text === undefined) return;
    setReading(true);
    try {
      setPreview(await send(account, text, true));
    } catch (fault) {
      setError(fault);
    } finally {
      setReading(false);
    }
  };
  const choose = async (file: File | undefined): Promise<void> => {
    const text = file === undefined ? undefined : await base64Of(file);
    setContent(text);
    await look(bankAccount, text);
  };
  return (
    <FormDialog
      title="Import a statement"
      action={
        preview === undefined ? 'Import' : `Import ${preview.added} ${preview.added === 1 ? 'payment' : 'payments'}`
      }
      isOpen
      isWide
      isReady={preview !== undefined && preview.added > 0}
      onClose={onClose}
      onSubmit={async () => {
        onDone(await send(bankAccount, content ?? '', false));
        await queries.invalidateQueries({ queryKey: ['bank-payments'] });
        await queries.invalidateQueries({ queryKey: ['invoices'] });
      }}
    >
      <Select
        label="Bank account"
        value={bankAccount}
        onChange={(id) => {
          setBankAccount(id);
          void look(id, content);
        }}
        choices={accounts.map(({ id, name }) => ({ id, label: name }))}
      />
      <div className="field">
        <label htmlFor={fileId}>Statement</label>
        <input
          id={fileId}
          type="file"
          accept=".csv,.txt,text/csv"
          onChange={({ target }) => void choose(target.files?.[0])}
        />
        <span slot="description">A CSV of the bank, up to 1 MiB. What is known already is not stored again.</span>
      </div>
      {isReading ? <Loading what="Reading the statement" /> : null}
      {error === undefined ? null : <Fault error={error} />}
      {preview === undefined ? null : <Preview of={preview} />}
    </FormDialog>
  );
}

const Preview = ({ of }: { readonly of: BankStatement }) => (
  <>
    <Facts
      of={[
        ['Lines', <Count key="lines" value={of.lines} />],
        ['New', <Count key="added" value={of.added} />],
        ['Known already', <Count key="known" value={of.known} />],
        ['In all', <Money key="total" amount={of.total} asset="USD" />],
        ['Encoding', of.encoding],
      ]}
    />
    <Table
      name="lines of the statement"
      columns={columns}
      list={wholeList(of.items)}
      keyOf={({ line }) => `${line}`}
      empty="Nothing in it is new."
    />
  </>
);
