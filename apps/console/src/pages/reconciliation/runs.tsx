import type { components } from '@keyfare/api-types/billing';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Section } from '../../ui/page.js';
import { Fault } from '../../ui/states.js';
import { type Column, Table } from '../../ui/table.js';
import { Age, Badge } from '../../ui/values.js';

type Run = components['schemas']['ReconciliationRun'];

const columns: readonly Column<Run>[] = [
  {
    title: 'Asked',
    text: ({ requestedAt }) => requestedAt,
    cell: ({ requestedAt }) => <Age at={requestedAt} />,
    width: 'minmax(8rem, 1fr)',
  },
  { title: 'Reads', text: ({ scope }) => scope, width: '5rem' },
  { title: 'By', text: ({ trigger }) => trigger, width: '6rem' },
  { title: 'State', text: ({ state }) => state, cell: ({ state }) => <Badge state={state} />, width: '6rem' },
];

/** Runs of the reconciliation, and a new one. */
export function Runs() {
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const may = useMay('write');
  const [error, setError] = useState<unknown>();
  const list = useEndless(['runs'], async (cursor) =>
    ok(billing.GET('/reconciliations', { params: { query: cursor === undefined ? {} : { cursor } } })),
  );
  const ask = async (scope: 'recent' | 'full'): Promise<void> => {
    setError(undefined);
    try {
      const { id } = await ok(billing.POST('/reconciliations', { body: { scope } }));
      await queries.invalidateQueries({ queryKey: ['runs'] });
      navigate(`/reconciliation/runs/${id}`);
    } catch (fault) {
      setError(fault);
    }
  };
  const actions = may ? (
    <>
      <Button onPress={() => void ask('recent')}>Run</Button>
      <Button onPress={() => void ask('full')}>Run a full audit</Button>
    </>
  ) : null;
  return (
    <Section title="Runs" actions={actions}>
      {error === undefined ? null : <Fault error={error} />}
      <Table
        name="runs"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={({ id }) => navigate(`/reconciliation/runs/${id}`)}
        empty="Nothing was reconciled yet."
      />
    </Section>
  );
}
