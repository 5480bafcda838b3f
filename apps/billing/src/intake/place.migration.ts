import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The log is read by place. Entries that were read before get the places 1 to n in the order in which they were read,
 * as the API numbers them too, and reading goes on at n. With it come payments on credit, refunds and reversals.
 */
export class ReadByPlace1796000000700 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await this.#placeEntries(queryRunner);
    await this.#placeRest(queryRunner);
    await this.#moveCursor(queryRunner);
    await this.#widen(queryRunner);
  }

  async #placeEntries(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['entry', 'payment', 'charge', 'price_book']) {
      await queryRunner.query(`alter table billing.${table} disable trigger ${table}_append_only`);
      await queryRunner.query(`alter table billing.${table} add column place bigint`);
    }
    await queryRunner.query(`
      update billing.entry e set place = n.place
      from (select tx, position, row_number() over (order by tx, position) as place from billing.entry) as n
      where (n.tx, n.position) = (e.tx, e.position)`);
  }

  /** What was made of the entries follows them. A row that no entry explains keeps its order, before all of them. */
  async #placeRest(queryRunner: QueryRunner): Promise<void> {
    for (const [table, id] of [
      ['payment', 'entry_id'],
      ['charge', 'entry_id'],
      ['price_book', 'id'],
    ]) {
      await queryRunner.query(`
        update billing.${table} t set place = e.place from billing.entry e
        where e.id = t.${id} and e.fault is null`);
      await queryRunner.query(`update billing.${table} set place = 0 where place is null`);
    }
    await queryRunner.query('alter table billing.entry drop constraint entry_pk');
    for (const table of ['entry', 'payment', 'charge', 'price_book']) {
      // Their indexes go with the columns.
      await queryRunner.query(`
        alter table billing.${table} alter column place set not null, drop column tx, drop column position`);
      await queryRunner.query(`alter table billing.${table} enable trigger ${table}_append_only`);
    }
    await queryRunner.query('alter table billing.entry add constraint entry_pk primary key (place)');
    await queryRunner.query('create index entry_faulty on billing.entry (place) where fault is not null');
    await queryRunner.query('create index payment_order on billing.payment (place)');
    await queryRunner.query(`
      create index charge_account on billing.charge (account, period_start, place) where rail = 'key'`);
    await queryRunner.query('alter table billing.price_book add column revision bigint not null default 0');
    await queryRunner.query(`
      create index price_book_account on billing.price_book (account, revision, effective_at, place)`);
  }

  async #moveCursor(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table billing.feed_cursor drop column tx, drop column position, drop column horizon, drop column awaited_tx,
        add column place bigint, add column log_as_of bigint not null default 0, add column awaited_as_of bigint`);
    await queryRunner.query(`
      update billing.feed_cursor set place = (select count(*) from billing.entry), awaited_since = null`);
    await queryRunner.query(`
      alter table billing.feed_cursor alter column place set not null, alter column log_as_of drop default`);
  }

  async #widen(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table billing.entry drop constraint entry_fault, add constraint entry_fault check (
        fault in ('receipt-invalid', 'digest-mismatch', 'receipt-missing', 'usage-mismatch', 'terms-missing', 'call-mismatch'))`);
    await queryRunner.query(`
      alter table billing.payment add column call_id uuid, alter column sku drop not null,
        alter column resource_url drop not null, drop constraint payment_outcome,
        add constraint payment_outcome check (
          outcome in ('settled', 'deferred', 'refund-due', 'settlement', 'reversed', 'unpaid'))`);
    await queryRunner.query('create index payment_call on billing.payment (call_id) where call_id is not null');
    await queryRunner.query(`
      alter table billing.ledger_account drop constraint ledger_account_type, add constraint ledger_account_type check (
        type in ('asset', 'liability', 'equity', 'income', 'expense'))`);
    // What the transaction cost who sent it; transfers that were read before do not have it.
    await queryRunner.query('alter table billing.chain_transfer add column transaction_fee numeric(78,0)');
    await queryRunner.query('create index chain_transfer_transaction on billing.chain_transfer (transaction)');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
