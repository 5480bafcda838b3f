import { Link } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Section, Stat } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Age, Badge } from '../../ui/values.js';

/** Whether the books are being kept. */
export function Health() {
  const runs = useRead(
    ['runs', 'last'],
    async () => ok(billing.GET('/reconciliations', { params: { query: { limit: '1' } } })),
    { everyMs: 30_000 },
  );
  return (
    <Section title="Health" actions={<Link href="/operations">Operations</Link>}>
      <Shown of={runs}>
        {({ items: [run] }) => (
          <div className="stats">
            <Stat
              label="Last reconciliation"
              href={run === undefined ? '/reconciliation' : `/reconciliation/runs/${run.id}`}
            >
              {run === undefined ? 'none yet' : <Badge state={run.state} />} <Age at={run?.finishedAt ?? null} />
            </Stat>
          </div>
        )}
      </Shown>
    </Section>
  );
}
