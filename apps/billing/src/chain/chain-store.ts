import type { Network, Token } from '@keyfare/core/x402';
import type { Sql } from '@keyfare/db/sql';
import type { BillingConfig } from '../config.js';
import { deriveId } from '../derive-id.js';
import { watchOf } from '../watch.js';
import type { ChainEnd, ChainPosition, Checkpoint, TimedTransfer } from './chain-reader.js';

/**
 * How a node contradicts what was read: it shows fewer blocks, other blocks than those that were final, or a chain that
 * has none of them.
 */
export type ChainDoubt = 'behind' | 'rewritten' | 'diverged';

/** How far a wallet's transfers of a token were read. */
export interface ChainCursor extends ChainPosition {
  readonly openingBalance: bigint | null;
  readonly blockTime: Date | null;
  readonly headNumber: bigint;
  readonly finalizedNumber: bigint;
  readonly completeAsOf: Date | null;
  readonly doubtedSince: Date | null;
}

/** A transfer as it is stored. */
export interface StoredTransfer extends TimedTransfer {
  readonly id: string;
  /** Whether it moved less than `DUST_BELOW`. */
  readonly dust: boolean;
}

interface CursorRow {
  readonly start_block: string;
  readonly opening_balance: string | null;
  readonly block_number: string;
  readonly block_hash: string | null;
  readonly block_time: Date | null;
  readonly head_number: string;
  readonly finalized_number: string;
  readonly complete_as_of: Date | null;
  readonly doubted_since: Date | null;
}

// Older blocks are remembered only now and then: a chain does not go back so far, but a local one may.
const denseBlocks = 4_096n;
const sparseStep = 256n;
const orphansAtOnce = 500;

/** The chain as it was read for one wallet and token, in the books. */
export class ChainStore {
  readonly watch: string;
  readonly #network: Network;
  readonly #mayLoseBlocks: boolean;
  readonly #dustBelow: bigint;

  constructor(
    { network, chainMayLoseBlocks, dustBelow }: BillingConfig,
    private readonly token: Token,
    private readonly payTo: string,
  ) {
    this.#network = network;
    this.#mayLoseBlocks = chainMayLoseBlocks;
    this.#dustBelow = dustBelow;
    this.watch = watchOf(network, token, payTo);
  }

  /** Null before the first look at the chain. With `lock`, nobody else can move it before the transaction ends. */
  async cursor(sql: Sql, { lock = false }: { lock?: boolean } = {}): Promise<ChainCursor | null> {
    const [row] = await sql.query<CursorRow>({
      text: `select * from billing.chain_cursor where watch = $1 ${lock ? 'for update' : ''}`,
      values: [this.watch],
    });
    if (row === undefined) return null;
    return {
      startBlock: BigInt(row.start_block),
      openingBalance: row.opening_balance === null ? null : BigInt(row.opening_balance),
      blockNumber: BigInt(row.block_number),
      blockHash: row.block_hash,
      blockTime: row.block_time,
      headNumber: BigInt(row.head_number),
      finalizedNumber: BigInt(row.finalized_number),
      completeAsOf: row.complete_as_of,
      doubtedSince: row.doubted_since,
    };
  }

  async checkpoints(sql: Sql, atOrBelow: bigint, limit: number): Promise<readonly Checkpoint[]> {
    const rows = await sql.query<{ number: string; hash: string; time: Date }>({
      text: `select number, hash, time from billing.chain_block where watch = $1 and number <= $2
        order by number desc limit $3`,
      values: [this.watch, atOrBelow.toString(), limit],
    });
    return rows.map(({ number, hash, time }) => ({ number: BigInt(number), hash, time }));
  }

  /** Begins to read a wallet, from the block after `before`. */
  async open(
    tx: Sql,
    {
      before,
      opening,
      startBlock,
      end,
    }: { before: Checkpoint | null; opening: bigint | null; startBlock: bigint; end: ChainEnd },
  ): Promise<void> {
    await tx.query({
      text: `insert into billing.chain_cursor (watch, network, asset, pay_to, start_block, opening_balance, block_number,
          block_hash, block_time, head_number, finalized_number)
        values ($1, $2, $3, $4, $5, $6, $5::bigint - 1, $7, $8, $9, $10)`,
      values: [
        this.watch,
        this.#network.caip2,
        this.token.address,
        this.payTo,
        startBlock.toString(),
        opening?.toString() ?? null,
        before?.hash ?? null,
        before?.time ?? null,
        end.head.number.toString(),
        end.finalizedNumber.toString(),
      ],
    });
    if (before !== null) await this.#storeBlocks(tx, [before]);
    if (this.token !== this.#network.usdc) await this.#knowEarlier(tx, startBlock - 1n);
  }

  /** Stores what a step read, and moves the cursor to its last block. */
  async extend(
    tx: Sql,
    { blocks, transfers }: { blocks: readonly Checkpoint[]; transfers: readonly TimedTransfer[] },
    { now }: { now: Date },
  ): Promise<readonly StoredTransfer[]> {
    const sightings = await this.#sightings(tx, transfers);
    const stored = transfers.map((transfer) => {
      const place = placeOf(transfer.blockHash, transfer.logIndex);
      const id = deriveId(`transfer:${this.watch}/${place}/${sightings.get(place) ?? 0}`);
      return { ...transfer, id, dust: transfer.value < this.#dustBelow || transfer.value === 0n };
    });
    await this.#storeBlocks(tx, blocks);
    await this.#storeTransfers(tx, stored, now);
    return stored;
  }

  /**
   * Moves the cursor. `reached` is the block that was read last, `end` where the chain ends; when the two are one, the
   * books are complete as of the moment the chain was asked. Only a chain that may lose blocks ends earlier than it was
   * seen to end, or takes back what it called final: of any other, a node that says so is late.
   */
  async advance(tx: Sql, { reached, end }: { reached: Checkpoint; end: ChainEnd }): Promise<void> {
    await tx.query({
      text: `update billing.chain_cursor set block_number = $2, block_hash = $3, block_time = $4,
          head_number = case when $8 then $5::bigint else greatest(head_number, $5::bigint) end,
          finalized_number = case when $8 then $6::bigint else greatest(finalized_number, $6::bigint) end,
          doubt = null, doubted_since = null,
          complete_as_of = case when $2::bigint = $5::bigint and ($8 or $5::bigint >= head_number) then $7::timestamptz
            else complete_as_of end
        where watch = $1`,
      values: [
        this.watch,
        reached.number.toString(),
        reached.hash,
        reached.time,
        end.head.number.toString(),
        end.finalizedNumber.toString(),
        end.readAt,
        this.#mayLoseBlocks,
      ],
    });
    await tx.query({
      text: `delete from billing.chain_block where watch = $1 and number < $2 and number >= $2::bigint - $3::bigint
        and number % $4 <> 0 and number >= (select start_block from billing.chain_cursor where watch = $1)`,
      values: [
        this.watch,
        (reached.number - denseBlocks).toString(),
        (2n * denseBlocks).toString(),
        sparseStep.toString(),
      ],
    });
  }

  /** The node contradicts what it showed before: remembers how, and since when it does. */
  async doubt(tx: Sql, doubt: ChainDoubt, now: Date): Promise<void> {
    await tx.query({
      text: `update billing.chain_cursor set doubt = $2, doubted_since = coalesce(doubted_since, $3) where watch = $1`,
      values: [this.watch, doubt, now],
    });
  }

  /** Forgets the blocks after `to`, and marks their transfers; `onOrphaned` gets the ids, some hundreds at a time. */
  async rollBack(
    tx: Sql,
    { to, end, now }: { to: Checkpoint; end: ChainEnd; now: Date },
    onOrphaned: (ids: readonly string[]) => Promise<void>,
  ): Promise<number> {
    let orphaned = 0;
    for (;;) {
      const rows = await tx.query<{ id: string }>({
        text: `update billing.chain_transfer set orphaned_at = $3 where id in (
            select id from billing.chain_transfer where watch = $1 and block_number > $2 and orphaned_at is null
            order by block_number desc, log_index desc limit $4) returning id`,
        values: [this.watch, to.number.toString(), now, orphansAtOnce],
      });
      if (rows.length === 0) break;
      orphaned += rows.length;
      await onOrphaned(rows.map(({ id }) => id));
    }
    await tx.query({
      text: 'delete from billing.chain_block where watch = $1 and number > $2',
      values: [this.watch, to.number.toString()],
    });
    await this.advance(tx, { reached: to, end });
    return orphaned;
  }

  /** Where USDC was read before, its older blocks are known: a chain may lose more of them than this token has read. */
  async #knowEarlier(tx: Sql, number: bigint): Promise<void> {
    await tx.query({
      text: `insert into billing.chain_block (watch, number, hash, time)
        select $1, number, hash, time from billing.chain_block where watch = $2 and number < $3`,
      values: [this.watch, watchOf(this.#network, this.#network.usdc, this.payTo), number.toString()],
    });
  }

  /** How often a transfer was seen at each place before: a block that comes back is another sighting. */
  async #sightings(tx: Sql, transfers: readonly TimedTransfer[]): Promise<ReadonlyMap<string, number>> {
    if (transfers.length === 0) return new Map();
    const rows = await tx.query<{ block_hash: string; log_index: number; sightings: number }>({
      text: `select block_hash, log_index, count(*)::int as sightings from billing.chain_transfer
        where watch = $1 and (block_hash, log_index) in (select * from unnest($2::text[], $3::int[]))
        group by block_hash, log_index`,
      values: [this.watch, transfers.map(({ blockHash }) => blockHash), transfers.map(({ logIndex }) => logIndex)],
    });
    return new Map(rows.map((row) => [placeOf(row.block_hash, row.log_index), row.sightings]));
  }

  async #storeBlocks(tx: Sql, blocks: readonly Checkpoint[]): Promise<void> {
    await tx.query({
      text: `insert into billing.chain_block (watch, number, hash, time)
        select $1, * from unnest($2::bigint[], $3::text[], $4::timestamptz[])`,
      values: [
        this.watch,
        blocks.map(({ number }) => number.toString()),
        blocks.map(({ hash }) => hash),
        blocks.map(({ time }) => time.toISOString()),
      ],
    });
  }

  async #storeTransfers(tx: Sql, transfers: readonly StoredTransfer[], now: Date): Promise<void> {
    if (transfers.length === 0) return;
    await tx.query({
      text: `insert into billing.chain_transfer (watch, network, asset, pay_to, seen_at, id, from_address, to_address,
          value, authorizer, nonce, block_number, block_hash, block_time, transaction, log_index, sender,
          transaction_fee, dust)
        select $1, $2, $3, $4, $5, * from unnest($6::uuid[], $7::text[], $8::text[], $9::numeric[], $10::text[],
          $11::text[], $12::bigint[], $13::text[], $14::timestamptz[], $15::text[], $16::int[], $17::text[],
          $18::numeric[], $19::boolean[])`,
      values: [
        this.watch,
        this.#network.caip2,
        this.token.address,
        this.payTo,
        now,
        transfers.map(({ id }) => id),
        transfers.map(({ from }) => from),
        transfers.map(({ to }) => to),
        transfers.map(({ value }) => value.toString()),
        transfers.map(({ authorization }) => authorization?.authorizer ?? null),
        transfers.map(({ authorization }) => authorization?.nonce ?? null),
        transfers.map(({ blockNumber }) => blockNumber.toString()),
        transfers.map(({ blockHash }) => blockHash),
        transfers.map(({ blockTime }) => blockTime.toISOString()),
        transfers.map(({ transactionHash }) => transactionHash),
        transfers.map(({ logIndex }) => logIndex),
        transfers.map(({ transactionFrom }) => transactionFrom),
        transfers.map(({ transactionFee }) => transactionFee.toString()),
        transfers.map(({ dust }) => dust),
      ],
    });
  }
}

function placeOf(blockHash: string, logIndex: number): string {
  return `${blockHash}:${logIndex}`;
}
