import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { newest, usePlans } from '../../api/catalogue.js';
import { gate, ok } from '../../api/client.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { PlanWords } from '../../ui/plan.js';
import { Shown } from '../../ui/states.js';

/** A new account, on the newest version of a plan. */
export function OpenAccount({ isOpen, onClose }: { readonly isOpen: boolean; readonly onClose: () => void }) {
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const plans = usePlans();
  const [name, setName] = useState('');
  const [slug, setSlug] = useState('');
  return (
    <FormDialog
      title="Open an account"
      action="Open"
      isOpen={isOpen}
      isReady={name.trim() !== '' && slug !== ''}
      onClose={onClose}
      onSubmit={async () => {
        const { id } = await ok(gate.POST('/admin/accounts', { body: { name: name.trim(), plan: slug } }));
        await queries.invalidateQueries({ queryKey: ['accounts'] });
        setName('');
        navigate(`/customers/${id}`);
      }}
    >
      <Field
        label="Name"
        value={name}
        onChange={setName}
        maxLength={200}
        isRequired
        autoFocus
        hint="As it stands on its invoices until a contract names a customer."
      />
      <Shown of={plans} what="Reading the plans">
        {(all) => {
          const plan = newest(all).find((one) => one.slug === slug);
          return (
            <>
              <Select
                label="Plan"
                value={slug}
                onChange={setSlug}
                choices={newest(all).map((one) => ({ id: one.slug, label: one.slug }))}
              />
              {plan === undefined ? null : (
                <p className="note">
                  Version {plan.version}: <PlanWords plan={plan} />. It holds from the moment the account is opened.
                </p>
              )}
            </>
          );
        }}
      </Shown>
    </FormDialog>
  );
}
