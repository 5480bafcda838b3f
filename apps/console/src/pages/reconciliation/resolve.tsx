import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { Fault, Loading } from '../../ui/states.js';
import { Money } from '../../ui/values.js';
import type { Break } from './queue.js';
import { type Kind, kindTexts } from './texts.js';

interface Correction {
  readonly debit: string;
  readonly credit: string;
  readonly amount: string;
}

interface ResolveProps {
  readonly found: Break;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly change: (body: { kind: Kind; resolution: string; correction?: Correction }) => Promise<void>;
}

/** Says how a break is resolved, and shows what that posts before it does. */
export function ResolveDialog({ found, isOpen, onClose, change }: ResolveProps) {
  const [kind, setKind] = useState<Kind>(found.possibleKinds[0] ?? 'no-posting');
  const [resolution, setResolution] = useState('');
  const [correction, setCorrection] = useState<Correction>({ debit: '', credit: '', amount: '' });
  const isWhole = kind !== 'correction' || Object.values(correction).every((text) => text !== '');
  const extra = kind === 'correction' ? { correction } : {};
  return (
    <FormDialog
      title="Resolve the break"
      action="Resolve"
      isOpen={isOpen}
      isReady={resolution !== '' && isWhole}
      onClose={onClose}
      onSubmit={async () => change({ kind, resolution, ...extra })}
    >
      <Select
        label="How"
        value={kind}
        onChange={(id) => setKind(id as Kind)}
        choices={found.possibleKinds.map((id) => ({ id, label: kindTexts[id].title }))}
        hint={kindTexts[kind].does}
      />
      {kind === 'correction' ? (
        <>
          <Field
            label="Debit (ledger account)"
            value={correction.debit}
            onChange={(debit) => setCorrection({ ...correction, debit })}
          />
          <Field
            label="Credit (ledger account)"
            value={correction.credit}
            onChange={(credit) => setCorrection({ ...correction, credit })}
          />
          <Field
            label="Amount"
            value={correction.amount}
            onChange={(amount) => setCorrection({ ...correction, amount })}
            hint="With a decimal point, such as 12.50"
          />
        </>
      ) : null}
      <Field
        label="Why"
        value={resolution}
        onChange={setResolution}
        isMultiline
        isRequired
        hint="It stays in the books with your name."
      />
      {isOpen && isWhole ? <Preview id={found.id} kind={kind} extra={extra} /> : null}
    </FormDialog>
  );
}

function Preview({
  id,
  kind,
  extra,
}: {
  readonly id: string;
  readonly kind: Kind;
  readonly extra: { readonly correction?: Correction };
}) {
  const { data, error, isPending } = useRead(['preview', id, kind, extra], async () =>
    ok(billing.POST('/breaks/{id}/preview', { params: { path: { id } }, body: { kind, ...extra } })),
  );
  if (error !== null) return <Fault error={error} />;
  if (isPending || data === undefined) return <Loading what="Asking what it posts" />;
  const { posting, needsSecond } = data;
  return (
    <div className="note" role="status">
      {posting === null ? (
        'It posts nothing.'
      ) : (
        <>
          It posts <Money amount={posting.amount} asset={posting.asset} /> from <code>{posting.credit}</code> to{' '}
          <code>{posting.debit}</code>.
        </>
      )}
      {needsSecond ? <strong> A second person has to approve it.</strong> : null}
    </div>
  );
}
