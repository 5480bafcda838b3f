import type { SqlPool } from '@keyfare/db/sql';

/**
 * Payers from whom no payment is taken: checked by the claim itself, in all processes from the moment it is committed.
 */
export class BlockList {
  constructor(
    private readonly sql: SqlPool,
    private readonly now: () => Date,
  ) {}

  /** Takes no more payments of this payer. What was claimed before is settled all the same. */
  async block(payer: string, reason: string): Promise<void> {
    await this.sql.query({
      text: `insert into keyfare.blocked_payer (payer, reason, blocked_at) values ($1, $2, $3)
        on conflict (payer) do update set reason = excluded.reason`,
      values: [payer.toLowerCase(), reason, this.now()],
    });
  }

  /** Takes payments of this payer again. */
  async unblock(payer: string): Promise<void> {
    await this.sql.query({
      text: 'delete from keyfare.blocked_payer where payer = $1',
      values: [payer.toLowerCase()],
    });
  }
}
