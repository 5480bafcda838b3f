import { isProblem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { isConnectionLost, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { DueDraft } from '../invoice/due.js';
import { InvoiceService } from '../invoice/invoice.service.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { clock } from '../tokens.js';
import { releaseDays } from './release.js';

/** Draws up the drafts of the periods that are over. */
@Injectable()
export class DraftsJob {
  readonly #logger = new Logger('Invoices');

  constructor(
    private readonly invoices: InvoiceService,
    private readonly ledger: LedgerService,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * How many drafts were drawn up. Running it again changes nothing that has not changed. An account whose draft fails
   * keeps no other from theirs; the job then fails at its end, and is tried again. Also earns the fees of plans on
   * final invoices for the days that are over. Throws the signal's reason, between two accounts, once it is aborted.
   */
  async run(stopping?: AbortSignal): Promise<number> {
    const due = await this.invoices.due();
    let failed = 0;
    for (const each of due) {
      stopping?.throwIfAborted();
      if (!(await this.#draft(each))) failed += 1;
    }
    await this.sql.transaction((tx) => releaseDays(tx, this.ledger, { now: this.now() }));
    if (failed > 0) throw new Error(`${failed} of ${due.length} drafts could not be drawn up`);
    return due.length;
  }

  async #draft({ account, at }: DueDraft): Promise<boolean> {
    try {
      await this.invoices.draft(account, at);
      return true;
    } catch (error) {
      if (isConnectionLost(error)) throw error;
      // Terms that never held, such as those changed again in the same second, leave nothing to invoice.
      if (isProblem(error) && error.code === 'invoice/not-found') return true;
      const reason = isProblem(error) ? error.detail : error;
      this.#logger.error(`no draft of ${at.toISOString()} for ${account}: ${String(reason)}`);
      return false;
    }
  }
}
