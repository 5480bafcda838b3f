import { useState } from 'react';
import { useLocation } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { monthBefore } from '../../format/time.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { AccountField } from './account-field.js';

/** Draws up the draft of one account and month now, as far as it is known. */
export function DraftButton() {
  const [, navigate] = useLocation();
  const [isOpen, setOpen] = useState(false);
  const [account, setAccount] = useState('');
  const [month, setMonth] = useState(monthBefore(new Date()));
  return (
    <>
      <Button onPress={() => setOpen(true)}>Draw up a draft</Button>
      <FormDialog
        title="Draw up a draft"
        action="Draw up"
        isOpen={isOpen}
        isReady={account !== '' && month !== ''}
        onClose={() => setOpen(false)}
        onSubmit={async () => {
          const { id } = await ok(billing.POST('/invoices', { body: { account, month } }));
          navigate(`/invoices/${id}`);
        }}
      >
        <p>
          Of the calls of one account in one month, as far as they are known. Drawing it up again changes a draft to
          what is known then.
        </p>
        <AccountField value={account} onChange={setAccount} />
        <Field label="Month" type="month" value={month} onChange={setMonth} isRequired />
      </FormDialog>
    </>
  );
}
