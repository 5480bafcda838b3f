import { isProblem } from '@keyfare/core/problem';
import type { Period } from '@keyfare/core/time';
import { Injectable, Logger } from '@nestjs/common';
import { InvoiceService } from '../invoice/invoice.service.js';

/** Draws up the drafts of a month for every account that had terms in it. */
@Injectable()
export class DraftsJob {
  readonly #logger = new Logger('Invoices');

  constructor(private readonly invoices: InvoiceService) {}

  /** How many were drawn up. Running it again changes nothing that has not changed. */
  async run(period: Period): Promise<number> {
    let drawn = 0;
    for (let after = ''; ; ) {
      const accounts = await this.invoices.accounts(period, after);
      for (const account of accounts) drawn += await this.#draft(account, period);
      const last = accounts.at(-1);
      if (last === undefined) return drawn;
      after = last;
    }
  }

  async #draft(account: string, period: Period): Promise<0 | 1> {
    try {
      await this.invoices.draft(account, period);
      return 1;
    } catch (error) {
      if (!isProblem(error)) throw error;
      this.#logger.warn(`no draft for ${account}: ${error.detail}`);
      return 0;
    }
  }
}
