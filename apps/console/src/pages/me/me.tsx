import type { components } from '@keyfare/api-types/billing';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { ApiProblem } from '../../api/problem.js';
import { formatMonth } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { Button } from '../../ui/button.js';
import { Field } from '../../ui/fields.js';
import { Page, Section, Stat } from '../../ui/page.js';
import { Fault, Loading } from '../../ui/states.js';
import { Count, Money } from '../../ui/values.js';
import { Invoices, Receipts, Statement } from './lists.js';
import { Usage } from './usage.js';

type Me = components['schemas']['Me'];

/** What a customer sees of itself, for half an hour after it has shown a key: its own account, and nobody else's. */
export default function MePage() {
  const me = useRead(['me'], async () => ok(billing.GET('/me')));
  if (me.isPending) return <Loading />;
  // What was read before the session ended is not shown any more.
  if (me.error instanceof ApiProblem && me.error.status === 401) return <ShowKey />;
  if (me.error !== null) return <Fault error={me.error} again={() => void me.refetch()} />;
  return me.data === undefined ? null : <Account me={me.data} />;
}

function ShowKey() {
  const queries = useQueryClient();
  const [key, setKey] = useState('');
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  const enter = async (): Promise<void> => {
    setSending(true);
    setError(undefined);
    try {
      await ok(billing.POST('/me/session', { body: { key } }));
      setKey('');
      await queries.resetQueries({ queryKey: ['me'] });
    } catch (fault) {
      setError(fault);
    } finally {
      setSending(false);
    }
  };
  return (
    <main className="front">
      <h1>Your account</h1>
      <p>Show one of your API keys. It is asked about once and not kept; what you see ends after half an hour.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (key !== '' && !isSending) void enter();
        }}
      >
        <Field label="API key" type="password" autoComplete="off" value={key} onChange={setKey} isRequired autoFocus />
        {error === undefined ? null : <Fault error={error} />}
        <Button type="submit" look="primary" isDisabled={isSending}>
          {isSending ? 'Looking…' : 'Show my account'}
        </Button>
      </form>
    </main>
  );
}

const beyond = {
  reject: 'calls beyond them are refused',
  invoice: 'each further one is on the invoice',
  x402: 'further ones are paid by wallet',
} as const;

function Account({ me: { account, plan, month, csrf } }: { readonly me: Me }) {
  const queries = useQueryClient();
  const { locale } = usePreferences();
  const leave = async (): Promise<void> => {
    await ok(billing.DELETE('/me/session', { headers: { 'x-csrf-token': csrf } }));
    await queries.resetQueries({ queryKey: ['me'] });
    queries.removeQueries({ queryKey: ['me'], type: 'inactive' });
  };
  return (
    <main className="own">
      <Page title={account.name ?? account.id} actions={<Button onPress={() => void leave()}>Sign out</Button>}>
        <div className="stats">
          <Stat label={`Units in ${formatMonth(month.month, locale)}`}>
            <Count value={month.units} />
          </Stat>
          <Stat label="Included">
            <Count value={plan?.includedUnits ?? null} />
          </Stat>
          <Stat label="Comes to so far, before tax and the plan's fee">
            <Money amount={month.amount} asset="USD" />
          </Stat>
          <Stat label="Plan">{plan === null ? 'none yet' : `${plan.slug}, version ${plan.version}`}</Stat>
        </div>
        {plan === null ? null : (
          <p>
            <Money amount={plan.monthlyPrice} asset="USD" /> a month with <Count value={plan.includedUnits} /> units;{' '}
            {beyond[plan.overage]}
            {plan.overage === 'invoice' ? (
              <>
                {' '}
                for <Money amount={plan.overagePrice} asset="USD" />
              </>
            ) : null}
            .
          </p>
        )}
        <Usage included={plan?.includedUnits ?? '0'} month={month.month} />
        <Section title="Invoices">
          <Invoices />
        </Section>
        <Section title="Statement">
          <Statement />
        </Section>
        <Section title="Receipts">
          <Receipts />
        </Section>
      </Page>
    </main>
  );
}
