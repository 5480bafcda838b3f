import type { components } from '@keyfare/api-types/billing';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useParams } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useMay, useRead } from '../../api/hooks.js';
import { formatMonth } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { Exports, Page, Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Badge, Count, Id, Moment, Money } from '../../ui/values.js';
import { checklistTitles } from './texts.js';

type Month = components['schemas']['Month'];
type Report = components['schemas']['MonthReport'];

/** A month as finance closes it: what moved, what is unexplained, the checklist, the lock. */
export default function MonthPage() {
  const { month = '' } = useParams();
  const { locale } = usePreferences();
  const path = { month };
  const found = useRead(['months', month], async () => ok(billing.GET('/months/{month}', { params: { path } })));
  const report = useRead(['month-report', month], async () =>
    ok(billing.GET('/months/{month}/report', { params: { path } })),
  );
  return (
    <Page
      title={/^\d{4}-\d{2}$/.test(month) ? formatMonth(month, locale) : 'A month'}
      above={{ href: '/reconciliation', title: 'Reconciliation' }}
      actions={
        <>
          <a className="button" href={`/months/${month}/close-pack.pdf`}>
            Close pack (PDF)
          </a>
          <Exports path={`/months/${month}/report`} />
        </>
      }
    >
      <Shown of={found}>{(read) => <Close of={read} />}</Shown>
      <Shown of={report}>{(read) => <Statement of={read} />}</Shown>
      <Shown of={found}>{(read) => <Events of={read} />}</Shown>
    </Page>
  );
}

function Close({ of: { month, state, ready, checklist, lockedAt, lockedBy } }: { readonly of: Month }) {
  const queries = useQueryClient();
  const may = useMay('money');
  const [isLocking, setLocking] = useState(false);
  const [isReopening, setReopening] = useState(false);
  const [reason, setReason] = useState('');
  const params = { path: { month } };
  const done = async (): Promise<void> => queries.invalidateQueries();
  const action =
    state === 'locked' ? (
      <Button look="danger" onPress={() => setReopening(true)}>
        Reopen
      </Button>
    ) : (
      <Button look="primary" isDisabled={!ready} onPress={() => setLocking(true)}>
        Lock the month
      </Button>
    );
  return (
    <Section title="Close" actions={may ? action : null}>
      {state === 'locked' ? (
        <p>
          <Badge state="locked" /> since <Moment at={lockedAt} /> by {lockedBy}. Nothing is dated into it any more.
        </p>
      ) : null}
      <ul className="checklist">
        {checklist.map(({ name, ok: isOk, count, detail }) => (
          <li key={name}>
            <span>
              <Badge state={isOk ? 'done' : 'open'} />
            </span>
            <span>
              <strong>{checklistTitles[name]}</strong>
              {count > 0 ? ` (${count})` : ''} <span className="muted">{detail}</span>
            </span>
          </li>
        ))}
      </ul>
      <FormDialog
        title="Lock the month"
        action="Lock"
        isOpen={isLocking}
        onClose={() => setLocking(false)}
        onSubmit={async () => {
          await ok(billing.POST('/months/{month}/lock', { params }));
          await done();
        }}
      >
        <p>From then on nothing is dated into it: what is learned later is dated into the next open month.</p>
      </FormDialog>
      <FormDialog
        title="Reopen the month"
        action="Reopen"
        look="danger"
        isReady={reason !== ''}
        isOpen={isReopening}
        onClose={() => setReopening(false)}
        onSubmit={async () => {
          await ok(billing.POST('/months/{month}/reopen', { params, body: { reason } }));
          setReason('');
          await done();
        }}
      >
        <p>It is an event that stays in the books, with your name and the reason.</p>
        <Field label="Reason" value={reason} onChange={setReason} isMultiline isRequired />
      </FormDialog>
    </Section>
  );
}

function Statement({ of: { month, wallets, digest, signedOff } }: { readonly of: Report }) {
  const queries = useQueryClient();
  const may = useMay('money');
  const [isSigning, setSigning] = useState(false);
  return (
    <Section
      title="Statement"
      actions={
        may ? (
          <Button onPress={() => setSigning(true)}>{signedOff === null ? 'Sign off' : 'Sign off again'}</Button>
        ) : null
      }
    >
      <p>
        {signedOff === null ? (
          'Nobody has signed it off.'
        ) : (
          <>
            Signed off by {signedOff.operator.name}, <Moment at={signedOff.at} />.{' '}
            {signedOff.changedSinceSigned ? (
              <Badge state="changed since" tone="bad" />
            ) : (
              <Badge state="unchanged since" tone="good" />
            )}
          </>
        )}{' '}
        <span className="muted">
          Digest <Id value={digest} />
        </span>
      </p>
      <div className="columns">
        {wallets.map((wallet) => (
          <WalletStatement key={`${wallet.network} ${wallet.wallet} ${wallet.asset}`} of={wallet} />
        ))}
      </div>
      <FormDialog
        title="Sign off the statement"
        action="Sign off"
        isOpen={isSigning}
        onClose={() => setSigning(false)}
        onSubmit={async () => {
          await ok(billing.POST('/months/{month}/sign-off', { params: { path: { month } }, body: { digest } }));
          await queries.invalidateQueries();
        }}
      >
        <p>
          You sign exactly these figures: <Id value={digest} length={24} />
        </p>
      </FormDialog>
    </Section>
  );
}

const WalletStatement = ({
  of: { wallet, network, asset, opening, movements, closing, unexplained, carriedForward },
}: {
  readonly of: Report['wallets'][number];
}) => (
  <div className="scroll">
    <table className="plain">
      <caption>
        {asset} in <Id value={wallet} /> <span className="muted">{network}</span>
      </caption>
      <tbody>
        <Line name="Opening" amount={opening} asset={asset} />
        {movements.map(({ kind, count, amount }) => (
          <Line key={kind} name={`${kind}, ${count}`} amount={amount} asset={asset} />
        ))}
        <Line name="Closing" amount={closing} asset={asset} isTotal />
        <tr>
          <th scope="row">
            Unexplained, <Count value={unexplained.count} />
          </th>
          <td className="number">
            <Money amount={unexplained.amount} asset={asset} />
          </td>
        </tr>
        <tr>
          <th scope="row">
            Carried forward, <Count value={carriedForward.count} />
          </th>
          <td className="number">
            <Money amount={carriedForward.amount} asset={asset} />
          </td>
        </tr>
      </tbody>
    </table>
  </div>
);

const Line = ({
  name,
  amount,
  asset,
  isTotal = false,
}: {
  readonly name: string;
  readonly amount: string;
  readonly asset: string;
  readonly isTotal?: boolean;
}) => (
  <tr>
    <th scope="row">{isTotal ? <strong>{name}</strong> : name}</th>
    <td className="number">
      <Money amount={amount} asset={asset} />
    </td>
  </tr>
);

const Events = ({ of: { events } }: { readonly of: Month }) =>
  events.length === 0 ? null : (
    <Section title="What became of it">
      <ul className="timeline">
        {events.map(({ what, at, operator, reason }) => (
          <li key={at}>
            <strong>{what}</strong> by <bdi>{operator.name}</bdi>, <Moment at={at} />
            {reason === null ? null : <div>{reason}</div>}
          </li>
        ))}
      </ul>
    </Section>
  );
