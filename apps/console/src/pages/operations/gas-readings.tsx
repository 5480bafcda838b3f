import type { components } from '@keyfare/api-types/billing';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { filled } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { FormDialog } from '../../ui/dialog.js';
import { Facts } from '../../ui/page.js';
import { Fault } from '../../ui/states.js';
import { type Column, Table } from '../../ui/table.js';
import { Id, Moment, Money } from '../../ui/values.js';

type Reading = components['schemas']['GasReading'];

const eth = (): string => 'ETH';
const columns: readonly Column<Reading>[] = [
  column.moment('Taken', ({ takenAt }) => takenAt),
  column.state('State', ({ state }) => state, '8rem'),
  column.text('It is', ({ kind }) => kind?.replaceAll('-', ' ') ?? '', '8rem'),
  column.id('Wallet', ({ wallet }) => wallet),
  column.text('Block', ({ block }) => block, '8rem'),
  column.money('Holds', ({ balance }) => balance, eth, '15rem'),
  column.money('In the books', ({ booked }) => booked, eth, '15rem'),
  column.money('Difference', ({ difference }) => difference, eth, '15rem'),
];

/** What each settler holds on the chain, against the books. A difference is posted by who accepts it. */
export function GasReadings() {
  const queries = useQueryClient();
  const mayMoney = useMay('money');
  const [open, setOpen] = useState<Reading>();
  const [error, setError] = useState<unknown>();
  const [isNothing, setNothing] = useState(false);
  const list = useEndless(['gas-readings'], async (cursor) =>
    ok(billing.GET('/gas-readings', { params: { query: filled({ limit: '200', cursor }) } })),
  );
  const refresh = async (): Promise<void> => queries.invalidateQueries({ queryKey: ['gas-readings'] });
  const take = async (): Promise<void> => {
    setError(undefined);
    try {
      const { items } = await ok(billing.POST('/gas-readings', {}));
      setNothing(items.length === 0);
      await refresh();
    } catch (fault) {
      setError(fault);
    }
  };
  return (
    <>
      {error === undefined ? null : <Fault error={error} />}
      {isNothing ? (
        <p className="note" role="status">
          Nothing could be read: no settler has a name here, its transfers are still being read through, or the node has
          no state of the last final block.
        </p>
      ) : null}
      <Table
        name="gas readings"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        {...(mayMoney
          ? { onOpen: (reading: Reading) => (reading.state === 'proposed' ? setOpen(reading) : undefined) }
          : {})}
        empty="No reading yet: name the settler's wallet above. It is read each night, or now."
        actions={mayMoney ? <Button onPress={() => void take()}>Read now</Button> : undefined}
      />
      {open === undefined ? null : (
        <FormDialog
          title="Post the difference?"
          action="Accept"
          isOpen
          onClose={() => setOpen(undefined)}
          onSubmit={async () => {
            await ok(billing.POST('/gas-readings/{id}/accept', { params: { path: { id: open.id } } }));
            await refresh();
          }}
        >
          <ReadingFacts of={open} />
          <p>
            {open.kind === 'top-up'
              ? 'More is there than the books have: it is posted as a top-up.'
              : 'Less is there than the books have: it is posted as other gas, of what failed or was no settlement.'}
          </p>
        </FormDialog>
      )}
    </>
  );
}

const ReadingFacts = ({ of }: { readonly of: Reading }) => (
  <Facts
    of={[
      ['Wallet', <Id key="wallet" value={of.wallet} length={24} />],
      ['Network', of.network],
      ['Block', of.block],
      ['Block time', <Moment key="time" at={of.blockTime} />],
      ['Holds', <Money key="holds" amount={of.balance} asset="ETH" />],
      ['In the books', <Money key="booked" amount={of.booked} asset="ETH" />],
      ['Difference', <Money key="difference" amount={of.difference} asset="ETH" />],
    ]}
  />
);
