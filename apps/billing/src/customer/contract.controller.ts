import { Problem } from '@keyfare/core/problem';
import type { Sql } from '@keyfare/db/sql';
import { Admin } from '@keyfare/gate/operators';
import type { z } from 'zod';
import { keepCycles } from './billing-cycles.js';
import { requirePricesKept } from './contract-terms.js';
import { changeableRoutes } from './master-routes.js';
import { changes, requests, views } from './views.js';

type Contract = z.infer<typeof views.contract>;

/** Which customer an account is invoiced to, by whom, and when. */
@Admin('contracts')
export class ContractController extends changeableRoutes({
  table: 'contract',
  page: 'ContractPage',
  list: 'contracts',
  one: 'contract',
  view: views.contract,
  request: requests.contract,
  change: changes.contract,
}) {
  /**
   * Its parties are there, no other contract of the account holds in its time, and its periods can still be its own.
   */
  override async prepare(
    tx: Sql,
    { given, before }: { readonly given: object; readonly before: Contract | null },
  ): Promise<void> {
    const contract = { ...before, ...given } as Contract;
    const { id, account, customerId, sellerId, startsAt, endsAt, periodAnchor, timeZone } = contract;
    const isMoved = before !== null && (before.periodAnchor !== periodAnchor || before.timeZone !== timeZone);
    if (before === null) {
      await this.data.find('customer', customerId, tx);
      await this.data.find('seller', sellerId, tx);
    } else if (endsAt !== null && endsAt <= startsAt) {
      throw new Problem('contract/conflict', 'The contract would end before it starts.');
    } else if (isMoved && new Date(startsAt) <= this.data.now()) {
      throw new Problem('contract/conflict', 'The periods of a contract are fixed when it starts.');
    } else {
      await requirePricesKept(tx, before, endsAt);
    }
    if (before === null || isMoved) {
      await keepCycles(tx, { id: before?.id ?? null, account, startsAt: new Date(startsAt), periodAnchor, timeZone });
    }
    const time = { startsAt: new Date(startsAt), endsAt: endsAt === null ? null : new Date(endsAt) };
    await this.data.requireFree(tx, { account, ...time, ...(before !== null && { except: id }) });
  }
}
