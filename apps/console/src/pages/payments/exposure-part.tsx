import { useLocation } from 'wouter';
import { largestPart, readAll } from '../../api/all.js';
import { gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { tokenAmount } from '../../format/token.js';
import { Stat } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { TokenMoney } from '../../ui/token-money.js';
import { Age, Count, Id } from '../../ui/values.js';
import type { Payment } from './attempts-part.js';

/** What one payer has been served on promise, in one token. */
interface Exposure {
  readonly payer: string;
  readonly network: string;
  readonly asset: string;
  readonly amount: string;
  readonly count: number;
  readonly oldest: string;
}

const most = 20_000;
/** The longest time that the API looks back. */
const longestMs = 365 * 86_400_000;

function byPayer(payments: readonly Payment[]): readonly Exposure[] {
  const groups = Map.groupBy(payments, ({ payer, network, asset }) => `${payer} ${network} ${asset}`);
  return [...groups.values()]
    .flatMap((group) => {
      const [first] = group;
      if (first === undefined) return [];
      const { payer, network, asset } = first;
      return [
        {
          payer,
          network,
          asset,
          amount: group.reduce((sum, { amount }) => sum + BigInt(amount), 0n).toString(),
          count: group.length,
          oldest: group.reduce((least, { claimedAt }) => (claimedAt < least ? claimedAt : least), first.claimedAt),
        },
      ];
    })
    .toSorted((one, other) => (BigInt(one.amount) < BigInt(other.amount) ? 1 : -1));
}

/** What was served and is not collected yet, by payer. */
export function ExposurePart() {
  const [, navigate] = useLocation();
  const open = useRead(
    ['payments', 'exposure'],
    async () => {
      const from = new Date(Date.now() - longestMs).toISOString();
      const parts = await Promise.all(
        (['served', 'settling'] as const).map(async (state) =>
          readAll(
            async (cursor) =>
              ok(
                gate.GET('/admin/payments', {
                  params: { query: { state, from, limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
                }),
              ),
            most,
          ),
        ),
      );
      const payments = parts.flatMap(({ items }) => items).filter(({ flow }) => flow === 'deferred');
      return { payers: byPayer(payments), count: payments.length, isCut: parts.some(({ isCut }) => isCut) };
    },
    { everyMs: 30_000 },
  );
  return (
    <Shown of={open} what="Reading what is open">
      {({ payers, count, isCut }) => (
        <>
          {isCut ? <p className="note">There are more than {most} open payments: not all are counted here.</p> : null}
          <div className="stats">
            <Stat label="Payers who owe for calls that were served">
              <Count value={new Set(payers.map(({ payer }) => payer)).size} />
            </Stat>
            <Stat label="Payments that are not collected yet" href="/payments?state=served">
              <Count value={count} />
            </Stat>
          </div>
          <div className="section">
            <Table
              name="exposure by payer"
              columns={columns}
              list={wholeList(payers)}
              keyOf={({ payer, network, asset }) => `${payer} ${network} ${asset}`}
              onOpen={({ payer }) => navigate(`/payments?payer=${payer}&state=served`)}
              empty="Nothing is open: each deferred call was collected, or none was sold."
            />
          </div>
        </>
      )}
    </Shown>
  );
}

const columns: readonly Column<Exposure>[] = [
  {
    title: 'Payer',
    text: ({ payer }) => payer,
    cell: ({ payer }) => <Id value={payer} length={24} />,
    width: 'minmax(14rem, 1fr)',
  },
  {
    title: 'Open',
    text: (exposure) => tokenAmount(exposure, exposure.amount)?.amount ?? exposure.amount,
    cell: ({ network, asset, amount }) => <TokenMoney network={network} asset={asset} amount={amount} />,
    isNumber: true,
  },
  {
    title: 'Payments',
    text: ({ count }) => String(count),
    cell: ({ count }) => <Count value={count} />,
    isNumber: true,
  },
  { title: 'Oldest', text: ({ oldest }) => oldest, cell: ({ oldest }) => <Age at={oldest} /> },
];
