import type { components } from '@keyfare/api-types/gate';
import { largestPart, readAll } from '../../api/all.js';
import { billing, gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Changes } from '../../ui/changes.js';
import { Section } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { Moment } from '../../ui/values.js';
import type { Account } from './customers.js';
import { useDirectory } from './directory.js';

type Act = components['schemas']['AuditEntry'];

/** Of each subject no more than these are read: the audit log has the rest. */
const most = 200;

async function actsOf(
  subjects: readonly string[],
  ask: (subject: string, cursor?: string) => Promise<{ items: Act[]; next: string | null }>,
): Promise<readonly Act[]> {
  const lists = await Promise.all(
    subjects.map(async (subject) => readAll(async (cursor) => ask(subject, cursor), most)),
  );
  return lists.flatMap(({ items }) => items);
}

const query = (subject: string, cursor?: string) => ({
  params: { query: { subject, limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
});

/** What operators did to the account, to its keys, to its contracts and to its customer; the newest first. */
export function HistoryPart({ account }: { readonly account: Account }) {
  const { id } = account;
  const directory = useDirectory();
  const contracts = directory.data?.contracts(id) ?? [];
  const papers = [...new Set(contracts.flatMap((contract) => [contract.id, contract.customerId]))];
  const acts = useRead(['audit', 'account', id, papers], async () => {
    const keys = await readAll(
      async (cursor) =>
        ok(
          gate.GET('/admin/accounts/{id}/keys', {
            params: { path: { id }, query: { limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
          }),
        ),
      most,
    );
    const [ofGate, ofBilling] = await Promise.all([
      actsOf([id, ...keys.items.map((key) => key.id)], async (subject, cursor) =>
        ok(gate.GET('/admin/audit', query(subject, cursor))),
      ),
      actsOf(
        papers,
        async (subject, cursor) =>
          ok(billing.GET('/audit', query(subject, cursor))) as Promise<{ items: Act[]; next: string | null }>,
      ),
    ]);
    return [...ofGate, ...ofBilling].toSorted((one, other) => other.at.localeCompare(one.at));
  });
  return (
    <Section title="What was changed, by whom">
      <Shown of={acts} what="Reading the audit log">
        {(all) =>
          all.length === 0 ? (
            <Empty>No operator has changed anything. What a migration or a seed made has no operator.</Empty>
          ) : (
            <ol className="timeline">
              {all.map((act) => (
                <li key={`${act.requestId}${act.id}`}>
                  <strong>{act.action}</strong> of <code>{act.subject}</code>{' '}
                  <span className="muted">
                    by <bdi>{act.operator.name}</bdi>, <Moment at={act.at} />
                  </span>
                  <Changes before={act.before} after={act.after} />
                </li>
              ))}
            </ol>
          )
        }
      </Shown>
    </Section>
  );
}
