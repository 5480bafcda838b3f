import type { components } from '@keyfare/api-types/billing';
import { useQueryClient } from '@tanstack/react-query';
import { useParams } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useMay, useRead } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Exports, Facts, Page, Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Badge, Count, Id, Moment, Money } from '../../ui/values.js';

type Report = components['schemas']['ReconciliationReport'];

/** One run as it waits, goes on, or has ended. */
export default function RunPage() {
  const { id = '' } = useParams();
  const queries = useQueryClient();
  const may = useMay('write');
  const run = useRead(
    ['runs', id],
    async () => ok(billing.GET('/reconciliations/{id}', { params: { path: { id } } })),
    { everyMs: 1_000 },
  );
  const isGoing = run.data?.state === 'queued' || run.data?.state === 'running';
  const cancel = async (): Promise<void> => {
    await ok(billing.POST('/reconciliations/{id}/cancel', { params: { path: { id } } }));
    await queries.invalidateQueries({ queryKey: ['runs'] });
  };
  return (
    <Page
      title="A run of the reconciliation"
      above={{ href: '/reconciliation', title: 'Reconciliation' }}
      actions={
        isGoing && may ? (
          <Button onPress={() => void cancel()}>Cancel</Button>
        ) : (
          <Exports path="/reports/reconciliation" />
        )
      }
    >
      <Shown of={run}>
        {({
          state,
          scope,
          trigger,
          progress,
          requestedAt,
          startedAt,
          finishedAt,
          failure,
          entriesAsOf,
          chainAsOf,
          digest,
          ...found
        }) => (
          <>
            {isGoing ? (
              <div className="note" role="status">
                <label>
                  {state === 'queued'
                    ? 'It waits for its turn.'
                    : `At ${progress.check ?? 'its begin'}: ${progress.done} of ${progress.total} checks.`}
                  <progress max={Math.max(1, progress.total)} value={progress.done} />
                </label>
              </div>
            ) : null}
            <Facts
              of={[
                ['State', <Badge key="s" state={state} />],
                ['Reads', scope === 'full' ? 'everything, with every signature' : 'what is new or was not proven'],
                ['Asked', <Moment key="r" at={requestedAt} />],
                ['By', trigger === 'manual' ? 'a person' : 'the clock'],
                ['Began', <Moment key="b" at={startedAt} />],
                ['Ended', <Moment key="e" at={finishedAt} />],
                ['Log as of', <Moment key="l" at={entriesAsOf ?? null} />],
                ['Chain as of', <Moment key="c" at={chainAsOf ?? null} />],
                ['Digest', <Id key="d" value={digest ?? null} />],
                ...(failure === null ? [] : [['Failure', failure] as const]),
              ]}
            />
            {found.report === undefined ? null : <ReportParts of={found.report} />}
          </>
        )}
      </Shown>
    </Page>
  );
}

const ReportParts = ({ of: { calls, ledger, breaks, chain, unchecked } }: { readonly of: Report }) => (
  <>
    {unchecked.length === 0 ? null : <p className="note">Not checked in this run: {unchecked.join(', ')}</p>}
    <div className="columns">
      <Section title="Calls">
        <Rows
          head={['Rail', 'Calls', 'Units', 'Amount']}
          rows={calls.map(({ rail, count, units, asset, amount }) => [
            rail,
            <Count key="c" value={count} />,
            <Count key="u" value={units} />,
            <Money key="a" amount={amount} asset={asset} />,
          ])}
        />
      </Section>
      <Section title="Wallet on the chain">
        <Rows
          head={['', 'Amount']}
          rows={(
            [
              ['Opening', chain.opening],
              ['In', chain.in],
              ['Out', chain.out],
              ['Explained', chain.explained],
              ['Balance', chain.balance],
            ] as const
          ).map(([name, amount]) => [name, <Money key="m" amount={amount} asset="USDC" />])}
        />
        <p>
          <Badge state={chain.state} /> block {chain.block}, final up to {chain.finalized}
        </p>
      </Section>
      <Section title="Breaks that it found">
        <Rows
          head={['Class', 'Count', 'Amount']}
          rows={breaks.map(({ class: name, count, amount, asset }) => [
            name,
            <Count key="c" value={count} />,
            <Money key="a" amount={amount} asset={asset} />,
          ])}
        />
      </Section>
      <Section title="Ledger">
        <Rows
          head={['Type', 'Balance']}
          rows={ledger.map(({ type, asset, balance }) => [type, <Money key="b" amount={balance} asset={asset} />])}
        />
      </Section>
    </div>
  </>
);

/** A small table that is all here: names first, numbers after. */
export const Rows = ({
  head,
  rows,
}: {
  readonly head: readonly string[];
  readonly rows: readonly (readonly React.ReactNode[])[];
}) => (
  <div className="scroll">
    <table className="plain">
      <thead>
        <tr>
          {head.map((title, index) => (
            <th key={title} scope="col" className={index === 0 ? '' : 'number'}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, at) => (
          // Rows have no name of their own, and none of them moves.
          <tr key={at}>
            {row.map((cell, index) =>
              index === 0 ? (
                <th key={head[index]} scope="row">
                  {cell}
                </th>
              ) : (
                <td key={head[index]} className="number">
                  {cell}
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
