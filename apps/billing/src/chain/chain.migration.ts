import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The chain as it was read: how far, by which headers, and the wallet's transfers. */
export class CreateChain1796000000400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.chain_cursor (
        watch text not null,
        network text not null,
        asset text not null,
        pay_to text not null,
        start_block bigint not null,
        opening_balance numeric(78,0),
        block_number bigint not null,
        block_hash text,
        block_time timestamptz,
        head_number bigint not null,
        finalized_number bigint not null,
        complete_as_of timestamptz,
        doubt text,
        doubted_since timestamptz,
        constraint chain_cursor_pk primary key (watch),
        constraint chain_cursor_doubt check (doubt in ('behind', 'rewritten', 'diverged'))
      )`);
    await queryRunner.query(`
      create table billing.chain_block (
        watch text not null,
        number bigint not null,
        hash text not null,
        time timestamptz not null,
        constraint chain_block_pk primary key (watch, number)
      )`);
    await this.#transfers(queryRunner);
    await queryRunner.query('grant select, insert, update on billing.chain_cursor to keyfare_billing');
    await queryRunner.query('grant select, insert, delete on billing.chain_block to keyfare_billing');
    await queryRunner.query('grant select, insert, update (orphaned_at) on billing.chain_transfer to keyfare_billing');
  }

  async #transfers(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.chain_transfer (
        id uuid not null,
        watch text not null,
        network text not null,
        asset text not null,
        pay_to text not null,
        from_address text not null,
        to_address text not null,
        value numeric(78,0) not null,
        authorizer text,
        nonce text,
        block_number bigint not null,
        block_hash text not null,
        block_time timestamptz not null,
        transaction text not null,
        log_index integer not null,
        sender text not null,
        seen_at timestamptz not null,
        orphaned_at timestamptz,
        constraint chain_transfer_pk primary key (id)
      )`);
    await queryRunner.query(`
      create unique index chain_transfer_place on billing.chain_transfer (watch, block_hash, log_index)
      where orphaned_at is null`);
    await queryRunner.query(`
      create index chain_transfer_sightings on billing.chain_transfer (watch, block_hash, log_index)`);
    await queryRunner.query(`
      create index chain_transfer_key on billing.chain_transfer (network, asset, authorizer, nonce)
      where authorizer is not null`);
    await queryRunner.query('create index chain_transfer_block on billing.chain_transfer (watch, block_number)');
    // A transfer is a fact of its block for ever; that the block was orphaned is the one thing that is learned later.
    await queryRunner.query(`
      create function billing.keep_transfer() returns trigger language plpgsql as $$
      begin
        if tg_op = 'UPDATE' and old.orphaned_at is null
          and to_jsonb(new) - 'orphaned_at' = to_jsonb(old) - 'orphaned_at' then
          return new;
        end if;
        raise exception 'billing.chain_transfer is append-only' using errcode = 'KF002';
      end $$`);
    await queryRunner.query(`
      create trigger chain_transfer_kept before update or delete on billing.chain_transfer
      for each row execute function billing.keep_transfer()`);
    await queryRunner.query(`
      create trigger chain_transfer_append_only before truncate on billing.chain_transfer
      execute function billing.append_only()`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
