import { useParams } from 'wouter';
import { billing, tagged } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Facts, Page, Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Age, Badge, Day, Id, Moment, Money } from '../../ui/values.js';
import { CaseActions } from './case-actions.js';
import { Comments } from './comments.js';
import { Evidence } from './evidence.js';
import { History } from './history.js';
import type { Break } from './queue.js';
import { kindTexts, sideTexts } from './texts.js';

/** One break as a case: what it is, its evidence side by side, who works on it, how it is resolved. */
export default function CasePage() {
  const { id = '' } = useParams();
  const found = useRead(['breaks', id], async () => tagged(billing.GET('/breaks/{id}', { params: { path: { id } } })));
  return (
    <Page
      title={found.data === undefined ? 'A break' : found.data.data.class}
      above={{ href: '/reconciliation', title: 'Reconciliation' }}
      actions={found.data === undefined ? null : <CaseActions found={found.data.data} etag={found.data.etag} />}
    >
      <Shown of={found}>
        {({ data }) => (
          <>
            <p>{data.detail}</p>
            <CaseFacts of={data} />
            <Posting of={data} />
            <Evidence of={data} />
          </>
        )}
      </Shown>
      <div className="columns">
        <Comments id={id} />
        <History id={id} />
      </div>
    </Page>
  );
}

const CaseFacts = ({ of }: { readonly of: Break }) => (
  <Facts
    of={[
      ['State', <Badge key="s" state={of.proposal === null ? of.status : 'proposed'} />],
      ['Weight', <Badge key="w" state={of.severity} />],
      ['Amount', <Money key="a" amount={of.amount} asset={of.asset} />],
      ['Seen at', sideTexts[of.side]],
      ['Happened', <Moment key="h" at={of.happenedAt} />],
      ['First seen', <Moment key="f" at={of.firstSeen} />],
      ['Last seen', <Age key="l" at={of.lastSeen} />],
      ['Age', `${of.ageDays} days`],
      ['Owner', <bdi key="o">{of.owner ?? 'nobody'}</bdi>],
      ['Due on', <Day key="d" of={of.dueOn} />],
      ['Note', of.note ?? '–'],
      ['Id', <Id key="i" value={of.id} />],
    ]}
  />
);

/** What the resolution posts, or would once a second person has said yes. */
function Posting({ of: { posting, proposal, resolution, resolvedAt, resolvedBy } }: { readonly of: Break }) {
  const shown = proposal ?? posting;
  if (shown === null) {
    return resolution === null ? null : (
      <p className="note">
        Resolved by {resolvedBy === 'system' ? 'a reconciliation' : 'a person'}, <Moment at={resolvedAt} />:{' '}
        {resolution}
      </p>
    );
  }
  return (
    <Section title={proposal === null ? 'Resolution' : 'Proposed resolution'}>
      <div className="note">
        <p>
          <strong>{kindTexts[shown.kind].title}</strong>: {shown.text}
        </p>
        {shown.debit === null || shown.credit === null ? (
          <p>Nothing is posted.</p>
        ) : (
          <p>
            <Money amount={shown.amount} asset={shown.asset} /> from <code>{shown.credit}</code> to{' '}
            <code>{shown.debit}</code>
          </p>
        )}
        <p className="muted">
          By {shown.proposedBy}, <Moment at={shown.proposedAt} />.{' '}
          {proposal === null ? '' : 'A second person has to approve it.'}
        </p>
      </div>
    </Section>
  );
}
