import { randomUUID } from 'node:crypto';
import type { Hex } from '@keyfare/core/encoding';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { type Chain, ChainError } from '@keyfare/evm/chain';
import { createIndexer } from '@keyfare/evm/indexer';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { coin, gas, gasFunding, openingCoin } from '../ledger/chart.js';
import { type Journal, journalOf } from '../ledger/journal.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { clock, evmChain } from '../tokens.js';
import type { GasReadingEntity } from '../treasury/gas-reading.entity.js';
import { awaitBooks } from '../turns.js';

/** A reading of what a settler holds. */
export type GasReading = Readonly<GasReadingEntity>;

type Row = Omit<GasReading, 'blockNumber' | 'balance' | 'booked'> & {
  readonly blockNumber: string;
  readonly balance: string;
  readonly booked: string;
};

const columns = `id, network, wallet, block_number as "blockNumber", block_time as "blockTime", balance::text as balance,
  booked::text as booked, state, kind, taken_at as "takenAt", decided_by as "decidedBy", decided_at as "decidedAt"`;

/** What settlers hold of the coin that gas is paid in, against what the books say. */
@Injectable()
export class GasReadings {
  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    private readonly ledger: LedgerService,
    @Inject(evmChain) private readonly chain: Chain,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The newest first; one more than `limit`, where there are so many. */
  async list({
    after,
    limit,
  }: {
    after: readonly [string, string] | null;
    limit: number;
  }): Promise<readonly GasReading[]> {
    const rows = await this.sql.query<Row>({
      text: `select ${columns} from billing.gas_reading
        where $1::bigint is null or (block_number, id) < ($1, $2::uuid) order by block_number desc, id desc limit $3`,
      values: [after?.[0] ?? null, after?.[1] ?? null, limit + 1],
    });
    return rows.map(readingOf);
  }

  /**
   * Reads each settler after the newest block that is final in the books, once for each block. A first reading is its
   * opening balance. A later one that the books do not explain waits for an operator, and takes the place of an earlier
   * one that still waits: it has the same difference in it. A node without the state of the block gives no reading.
   */
  async take(): Promise<readonly GasReading[]> {
    const { caip2: network } = this.config.network;
    const settlers = await this.sql.query<{ address: Hex }>({
      text: `select address from billing.wallet where network = $1 and kind = 'settler' order by address`,
      values: [network],
    });
    const block = await this.#finalBlock();
    if (block === null) return [];
    const readings: GasReading[] = [];
    for (const { address: wallet } of settlers) {
      const balance = await this.#balanceOf(wallet, block.number);
      if (balance === null) continue;
      const taken = await this.sql.transaction(async (tx) => this.#keep(tx, { wallet, block, balance }));
      if (taken !== null) readings.push(taken);
    }
    return readings;
  }

  /** 404 `report/not-found`; 409 `wallet/conflict` for one that does not wait. The difference is posted. */
  async accept(tx: Sql, id: string, by: string): Promise<{ before: GasReading; after: GasReading }> {
    await awaitBooks(tx);
    const before = await this.#find(tx, id);
    if (before.state !== 'proposed') throw new Problem('wallet/conflict', 'The reading does not wait for a decision.');
    await this.ledger.post(tx, journalsOf(before));
    await tx.query({
      text: `update billing.gas_reading set state = 'posted', decided_by = $2, decided_at = $3 where id = $1`,
      values: [id, by, this.now()],
    });
    return { before, after: await this.#find(tx, id) };
  }

  async #find(tx: Sql, id: string): Promise<GasReading> {
    const [row] = await tx.query<Row>({
      text: `select ${columns} from billing.gas_reading where id::text = $1 for update`,
      values: [id],
    });
    if (row === undefined) throw new Problem('report/not-found', 'There is no such reading.');
    return readingOf(row);
  }

  async #keep(
    tx: Sql,
    { wallet, block, balance }: { wallet: string; block: { number: bigint; time: Date }; balance: bigint },
  ): Promise<GasReading | null> {
    const { caip2: network } = this.config.network;
    await awaitBooks(tx);
    const [known] = await tx.query<{ readings: number; booked: string }>({
      text: `select (select count(*)::int from billing.gas_reading where network = $1 and wallet = $2) as readings,
          -- What was paid in later blocks than this one is in the books already.
          coalesce(sum(l.amount) filter (where j.kind <> 'gas' and j.kind <> 'reversal' or j.occurred_at <= $4), 0)::text
            as booked
        from billing.ledger_line l join billing.journal j on j.id = l.journal_id where l.account = $3`,
      values: [network, wallet, coin(network, wallet).code, block.time],
    });
    const booked = BigInt(known?.booked ?? 0);
    const isFirst = known?.readings === 0;
    const kind = balance === booked ? null : isFirst ? 'opening' : balance > booked ? 'top-up' : 'other-gas';
    const state = kind === null ? 'agreed' : isFirst ? 'posted' : 'proposed';
    await tx.query({
      text: `update billing.gas_reading set state = 'superseded'
        where network = $1 and wallet = $2 and state = 'proposed' and block_number < $3`,
      values: [network, wallet, block.number.toString()],
    });
    const [row] = await tx.query<Row>({
      text: `insert into billing.gas_reading (id, network, wallet, block_number, block_time, balance, booked, state, kind,
          taken_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (network, wallet, block_number) do nothing returning ${columns}`,
      values: [
        randomUUID(),
        network,
        wallet,
        block.number.toString(),
        block.time,
        balance.toString(),
        booked.toString(),
        state,
        kind,
        this.now(),
      ],
    });
    if (row === undefined) return null;
    const reading = readingOf(row);
    if (state === 'posted') await this.ledger.post(tx, journalsOf(reading));
    return reading;
  }

  /** The last block that every wallet has been read to and that is final: what was paid up to it is in the books. */
  async #finalBlock(): Promise<{ readonly number: bigint; readonly time: Date } | null> {
    const [row] = await this.sql.query<{ number: string | null }>({
      text: `select min(least(block_number, finalized_number))::text as number from billing.chain_cursor
        where network = $1`,
      values: [this.config.network.caip2],
    });
    if (row === undefined || row.number === null || BigInt(row.number) < 0n) return null;
    const number = BigInt(row.number);
    const [header] = await createIndexer(this.chain).readBlocks(number, number);
    return header === undefined ? null : { number, time: new Date(Number(header.timestamp) * 1_000) };
  }

  async #balanceOf(wallet: Hex, block: bigint): Promise<bigint | null> {
    try {
      return await createIndexer(this.chain).coinOf(wallet, block);
    } catch (error) {
      if (error instanceof ChainError && ['state-unavailable', 'unknown-block'].includes(error.kind)) return null;
      throw error;
    }
  }
}

function journalsOf({ id, network, wallet, balance, booked, kind, blockTime }: GasReading): readonly Journal[] {
  const held = coin(network, wallet);
  const amount = balance > booked ? balance - booked : booked - balance;
  const other = kind === 'opening' ? openingCoin(network) : kind === 'top-up' ? gasFunding(network) : gas(network);
  const [debit, credit] = balance > booked ? [held, other] : [other, held];
  const source = `gas-reading:${id}`;
  const journalKind = kind === 'opening' ? 'opening' : kind === 'top-up' ? 'top-up' : 'gas';
  return [journalOf({ kind: journalKind, source, occurredAt: blockTime, debit, credit, amount })];
}

function readingOf({ blockNumber, balance, booked, ...row }: Row): GasReading {
  return { ...row, blockNumber: BigInt(blockNumber), balance: BigInt(balance), booked: BigInt(booked) };
}
