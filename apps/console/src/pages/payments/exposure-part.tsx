import type { components } from '@keyfare/api-types/gate';
import { useLocation } from 'wouter';
import { gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { tokenAmount } from '../../format/token.js';
import { Section, Stat } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { TokenMoney } from '../../ui/token-money.js';
import { Badge, Count, Id, Moment } from '../../ui/values.js';

type Status = components['schemas']['GateStatus'];
type Known<Part> = Extract<Part, { readonly state: 'available' }>;
type Exposure = Known<Status['exposure']>;
type Payer = Exposure['payers'][number];

/** What was served and is not collected yet: in all, and by payer, each against its limit. */
export function ExposurePart() {
  const status = useRead(['status', 'gate'], async () => ok(gate.GET('/admin/status')), { everyMs: 15_000 });
  return (
    <Shown of={status} what="Asking the API how things are">
      {({ exposure, payments, blockedPayers, breaker }) => (
        <>
          {exposure.state === 'unavailable' ? (
            <Empty>What is open is not known now: {exposure.reason}.</Empty>
          ) : (
            <Open exposure={exposure} />
          )}
          {payments.state === 'unavailable' ? null : <UnderWay open={payments.open} />}
          <Refused breaker={breaker} blocked={blockedPayers} />
        </>
      )}
    </Shown>
  );
}

const share = (open: string, limit: string | null): number | null =>
  limit === null || limit === '0' ? null : Math.round((Number(open) / Number(limit)) * 100);

const ShareOf = ({ open, limit }: { readonly open: string; readonly limit: string | null }) => {
  const percent = share(open, limit);
  return percent === null ? (
    <>no limit is set: none is sold on credit</>
  ) : (
    <>
      {percent} % <progress max={100} value={Math.min(percent, 100)} aria-label="Of the limit" />
    </>
  );
};

function Open({ exposure: { totals, payers } }: { readonly exposure: Exposure }) {
  const [, navigate] = useLocation();
  return (
    <>
      <div className="stats">
        {totals.map(({ network, token, open, limit }) => (
          <Stat
            key={`${network} ${token}`}
            label={`Open of all payers, ${tokenAmount({ network, asset: token }, '0')?.asset ?? token} on ${network}`}
            {...((share(open, limit) ?? 0) >= 80 ? { tone: 'warn' } : {})}
          >
            <TokenMoney network={network} asset={token} amount={open} />
            {limit === null ? null : (
              <span className="muted">
                {' '}
                of <TokenMoney network={network} asset={token} amount={limit} />
              </span>
            )}
          </Stat>
        ))}
      </div>
      <Section title="By payer">
        <Table
          name="exposure by payer"
          columns={columns}
          list={wholeList(payers)}
          keyOf={({ payer, network, token }) => `${payer} ${network} ${token}`}
          onOpen={({ payer }) => navigate(`/payments?payer=${payer}`)}
          empty="Nothing is open: each deferred call was collected, or none was sold."
        />
      </Section>
    </>
  );
}

const columns: readonly Column<Payer>[] = [
  {
    title: 'Payer',
    text: ({ payer }) => payer,
    cell: ({ payer }) => <Id value={payer} length={24} />,
    width: 'minmax(14rem, 1fr)',
  },
  {
    title: 'Open',
    text: ({ network, token, open }) => tokenAmount({ network, asset: token }, open)?.amount ?? open,
    cell: ({ network, token, open }) => <TokenMoney network={network} asset={token} amount={open} />,
    isNumber: true,
  },
  {
    title: 'Limit',
    text: ({ network, token, limit }) =>
      limit === null ? '' : (tokenAmount({ network, asset: token }, limit)?.amount ?? limit),
    cell: ({ network, token, limit }) =>
      limit === null ? '–' : <TokenMoney network={network} asset={token} amount={limit} />,
    isNumber: true,
  },
  {
    title: 'Of the limit',
    text: ({ open, limit }) => `${share(open, limit) ?? ''}`,
    cell: ({ open, limit }) => <ShareOf open={open} limit={limit} />,
    width: '14rem',
  },
];

type UnderWayRow = Known<Status['payments']>['open'][number];

const UnderWay = ({ open }: { readonly open: readonly UnderWayRow[] }) => (
  <Section title="Payments under way">
    <Table
      name="payments under way"
      columns={underWay}
      list={wholeList(open)}
      keyOf={({ network, token, state }) => `${network} ${token} ${state}`}
      empty="No payment is under way."
    />
  </Section>
);

const underWay: readonly Column<UnderWayRow>[] = [
  { title: 'State', text: ({ state }) => state, cell: ({ state }) => <Badge state={state} /> },
  {
    title: 'Payments',
    text: ({ count }) => String(count),
    cell: ({ count }) => <Count value={count} />,
    isNumber: true,
  },
  {
    title: 'Amount',
    text: ({ network, token, amount }) => tokenAmount({ network, asset: token }, amount)?.amount ?? amount,
    cell: ({ network, token, amount }) => <TokenMoney network={network} asset={token} amount={amount} />,
    isNumber: true,
  },
  {
    title: 'Oldest, seconds',
    text: ({ oldestSeconds }) => String(oldestSeconds),
    cell: ({ oldestSeconds }) => <Count value={Math.round(oldestSeconds)} />,
    isNumber: true,
  },
];

interface RefusedProps {
  readonly breaker: Status['breaker'];
  readonly blocked: Status['blockedPayers'];
}

/** Who is not served on credit or at all, and until when. */
const Refused = ({ breaker, blocked }: RefusedProps) => (
  <Section title="Payers who are refused">
    {breaker.open ? (
      <p className="note">
        Too many transfers have failed: all payments are refused until <Moment at={breaker.until} />.
      </p>
    ) : null}
    {breaker.refused.length === 0 && (blocked.state === 'unavailable' || blocked.count === 0) ? (
      <Empty>{blocked.state === 'unavailable' ? 'Who is blocked is not known now.' : 'Nobody.'}</Empty>
    ) : (
      <ul className="timeline">
        {breaker.refused.map(({ payer, until }) => (
          <li key={payer}>
            <Id value={payer} length={24} /> until <Moment at={until} />, because their transfers failed
          </li>
        ))}
        {blocked.state === 'unavailable'
          ? null
          : blocked.latest.map(({ payer, reason, blockedAt }) => (
              <li key={payer}>
                <Id value={payer} length={24} /> since <Moment at={blockedAt} />: {reason}
              </li>
            ))}
      </ul>
    )}
  </Section>
);
