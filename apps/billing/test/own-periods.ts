import type { Manifest } from '@keyfare/seed/history';
import { keepCycles } from '../src/customer/billing-cycles.js';
import type { World } from './world.js';

type Agreed = Readonly<Record<'startsAt', string>> &
  Partial<Readonly<Record<'endsAt' | 'periodAnchor' | 'timeZone', string>>>;

/** The contracts of an account: of months in UTC, from a day within one on in Berlin, or of months in Los Angeles. */
export function contractsOf({ from }: Manifest, nth: number): readonly Agreed[] {
  const within = new Date(Date.parse(from) + 10.3 * 86_400_000).toISOString();
  switch (nth % 3) {
    case 1:
      return [
        { startsAt: within, periodAnchor: 'anniversary', timeZone: 'Europe/Berlin' },
        { startsAt: from, endsAt: within },
      ];
    case 2:
      return [{ startsAt: from, periodAnchor: 'calendar', timeZone: 'America/Los_Angeles' }];
    default:
      return [{ startsAt: from }];
  }
}

/** What the periods of accounts follow from, which must be known before their calls are read. */
export async function agreePeriods(world: World, manifest: Manifest): Promise<void> {
  await world.sql.transaction(async (tx) => {
    for (const [nth, { id: account }] of manifest.accounts.entries()) {
      for (const { startsAt, periodAnchor, timeZone } of contractsOf(manifest, nth)) {
        if (periodAnchor === undefined || timeZone === undefined) continue;
        const anchor = periodAnchor === 'anniversary' ? periodAnchor : 'calendar';
        await keepCycles(tx, { id: null, account, startsAt: new Date(startsAt), periodAnchor: anchor, timeZone });
      }
    }
  });
}
