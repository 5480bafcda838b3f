import { billing, ok } from '../../api/client.js';
import { useEndless } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Section } from '../../ui/page.js';
import { Empty, Fault } from '../../ui/states.js';
import { Moment, Money } from '../../ui/values.js';

/** What became of a break, by people and by reconciliations. */
export function History({ id }: { readonly id: string }) {
  const list = useEndless(['events', id], async (cursor) =>
    ok(billing.GET('/breaks/{id}/events', { params: { path: { id }, query: cursor === undefined ? {} : { cursor } } })),
  );
  return (
    <Section title="History">
      {list.error === null ? null : <Fault error={list.error} again={list.again} />}
      {list.rows.length === 0 && !list.isLoading ? <Empty>It is as it was found.</Empty> : null}
      <ul className="timeline">
        {list.rows.map(({ id: key, at, what, operator, amount, asset, text }) => (
          <li key={key}>
            <strong>{what}</strong> by <bdi>{operator?.name ?? 'a reconciliation'}</bdi>{' '}
            <span className="muted">
              <Moment at={at} />
            </span>
            <div>
              {amount === null ? null : <Money amount={amount} asset={asset} />} {text}
            </div>
          </li>
        ))}
      </ul>
      {list.hasMore ? <Button onPress={list.more}>Further events</Button> : null}
    </Section>
  );
}
