import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useMay, useRead } from '../../api/hooks.js';
import { formatMoney, sumMoney } from '../../format/money.js';
import { monthBefore } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { Page, Section, Stat } from '../../ui/page.js';
import { Empty, Fault } from '../../ui/states.js';
import { Count, Money } from '../../ui/values.js';
import { InvoicesNav } from './nav.js';
import { Refusals, RunItems } from './run-items.js';
import { type Run, useRun } from './use-run.js';

/** Makes the drafts of a month final: first what would become of each, then the run itself. */
export default function RunPage() {
  const mayMoney = useMay('money');
  const queries = useQueryClient();
  const [{ month, limit }, setFilters] = useAddress({ month: monthBefore(new Date()), limit: '' });
  const { run, start, stop } = useRun();
  const [isAsking, setAsking] = useState(false);
  const names = useNames(month);
  const isRunning = run?.state === 'running';
  const most = /^[1-9]\d*$/.test(limit) ? Number(limit) : null;
  const seen = run?.isPreview === true && run.month === month ? run : undefined;
  const good = seen?.items.filter(({ refusal }) => refusal === null) ?? [];
  const canFinish = seen !== undefined && seen.state !== 'running' && good.length > 0;
  return (
    <Page title="Make invoices final" above={{ href: '/invoices', title: 'Invoices' }}>
      <InvoicesNav />
      {mayMoney ? (
        <div className="filters">
          <Field label="Month" type="month" value={month} onChange={(next) => setFilters({ month: next })} />
          <Field
            label="At most"
            value={limit}
            onChange={(next) => setFilters({ limit: next })}
            placeholder="all drafts"
          />
          <Button
            isDisabled={isRunning || month === ''}
            onPress={() => void start({ month, isPreview: true, limit: most })}
          >
            Preview
          </Button>
          <Button look="primary" isDisabled={!canFinish} onPress={() => setAsking(true)}>
            Make final
          </Button>
          {isRunning ? <Button onPress={stop}>Stop</Button> : null}
        </div>
      ) : (
        <Empty>Your role may not make invoices final: that needs the right for money.</Empty>
      )}
      {run === undefined ? (
        <Empty>A preview says what would become of each draft, and changes nothing.</Empty>
      ) : (
        <Told run={run} names={names} />
      )}
      <FormDialog
        title={`Make ${good.length} invoices of ${month} final`}
        action="Make final"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onSubmit={async () => {
          // It goes on behind the dialog, and shows how far it is.
          void start({ month, isPreview: false, limit: most }).then(() =>
            queries.invalidateQueries({ queryKey: ['invoices'] }),
          );
        }}
      >
        <p>
          Each gets its number, is frozen and posted, <Money amount={sumOf(good)} asset="USD" /> in all. A final invoice
          is not changed any more: it can be voided while it is unpaid, or a credit note takes back parts of it.
        </p>
        <p>What is refused stays a draft. If it stops in between, what is final stays final: start it again.</p>
      </FormDialog>
    </Page>
  );
}

/** The names of the month's accounts, as far as they are on the first drafts. */
function useNames(month: string): ReadonlyMap<string, string> {
  const { data } = useRead(['invoices', 'names', month], async () =>
    ok(billing.GET('/invoices', { params: { query: { limit: '200', ...(month === '' ? {} : { month }) } } })),
  );
  return new Map(data?.items.map(({ account, accountName }) => [account, accountName]));
}

const sumOf = (items: Run['items']): string => sumMoney(items.flatMap(({ payable }) => payable ?? []));

const says: Readonly<Record<Run['state'], string>> = {
  running: 'It runs…',
  stopped: 'It stopped before the end: there are more drafts.',
  done: 'It is through.',
  failed: 'It ended before it was through. What is listed as final is final; start again for the rest.',
};

function Told({ run, names }: { readonly run: Run; readonly names: ReadonlyMap<string, string> }) {
  const { locale } = usePreferences();
  const good = run.items.filter(({ refusal }) => refusal === null);
  const total = sumOf(good);
  return (
    <Section title={`${run.isPreview ? 'Preview' : 'Run'} of ${run.month}`}>
      {run.state === 'running' ? <progress aria-label="The run" /> : null}
      <p role="status">
        {says[run.state]} {run.items.length} drafts, {formatMoney(total, locale)} USD.
      </p>
      {run.error === undefined ? null : <Fault error={run.error} />}
      <div className="stats">
        <Stat label={run.isPreview ? 'Would be final' : 'Made final'}>
          <Count value={good.length} />
        </Stat>
        <Stat label="To pay">
          <Money amount={total} asset="USD" />
        </Stat>
        <Stat label="Stay drafts" {...(run.items.length > good.length ? { tone: 'warn' as const } : {})}>
          <Count value={run.items.length - good.length} />
        </Stat>
      </div>
      <Refusals of={run.items} />
      <RunItems run={run} names={names} />
    </Section>
  );
}
