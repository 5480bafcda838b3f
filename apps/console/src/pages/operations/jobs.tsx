import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useMay } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { FormDialog } from '../../ui/dialog.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Moment } from '../../ui/values.js';
import type { Status } from './billing-status.js';
import { Part } from './part.js';

type Queue = Extract<Status['jobs'], { readonly state: 'available' }>['queues'][number];

function stateOf({ runningSince, retryAt, waiting, lastFailedAt, lastDoneAt }: Queue): string {
  if (runningSince !== null) return 'running';
  if (retryAt !== null) return 'is tried again';
  if (waiting > 0) return 'queued';
  if (lastFailedAt !== null && (lastDoneAt === null || lastDoneAt < lastFailedAt)) return 'failed';
  return 'ok';
}

const columns: readonly Column<Queue>[] = [
  column.text('Job', ({ name }) => name, '11rem'),
  column.state('State', stateOf, '9rem'),
  column.moment('Last done', ({ lastDoneAt }) => lastDoneAt),
  column.moment('Next', ({ nextAt }) => nextAt),
  column.moment('Last failed', ({ lastFailedAt }) => lastFailedAt),
  {
    title: 'Failed, of those kept',
    text: ({ failed }) => `${failed}`,
    cell: ({ failed }) => <Badge state={failed === 0 ? 'none' : `${failed}`} tone={failed === 0 ? 'good' : 'warn'} />,
    width: '10rem',
  },
  column.text('Last error', ({ lastError }) => lastError, 'minmax(12rem, 3fr)'),
];

/** What billing does by the calendar. A row is the job, which somebody with the right may ask for out of turn. */
export function Jobs({ of }: { readonly of: Status['jobs'] }) {
  const queries = useQueryClient();
  const mayWrite = useMay('write');
  const [open, setOpen] = useState<string>();
  return (
    <Part title="Jobs" of={of}>
      {({ queues }) => {
        const queue = queues.find(({ name }) => name === open);
        return (
          <>
            <Table
              name="jobs"
              columns={[
                ...columns,
                ...(mayWrite
                  ? [
                      {
                        title: 'Out of turn',
                        text: () => '',
                        cell: ({ name }: Queue) => (
                          <Button look="quiet" onPress={() => setOpen(name)} aria-label={`Run now: ${name}`}>
                            Run now
                          </Button>
                        ),
                        width: '8rem',
                      },
                    ]
                  : []),
              ]}
              list={wholeList(queues)}
              keyOf={({ name }) => name}
              {...(mayWrite ? { onOpen: ({ name }: Queue) => setOpen(name) } : {})}
            />
            {queue === undefined ? null : (
              <FormDialog
                title={`Run ${queue.name} now?`}
                action="Run it"
                isOpen
                onClose={() => setOpen(undefined)}
                onSubmit={async () => {
                  await ok(billing.POST('/jobs/{name}/run', { params: { path: { name: queue.name } } }));
                  await queries.invalidateQueries({ queryKey: ['status'] });
                }}
              >
                <p>
                  It would run by itself next on <Moment at={queue.nextAt} />. Asked for now it begins within some
                  seconds, once, however often it is asked for.
                </p>
                {queue.lastError === null ? null : <pre>{queue.lastError}</pre>}
              </FormDialog>
            )}
          </>
        );
      }}
    </Part>
  );
}
