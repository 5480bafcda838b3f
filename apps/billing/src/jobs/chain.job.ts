import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { ChainError, ChainUnavailable } from '@keyfare/evm/chain';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ChainDiverged, ChainReader, type Step } from '../chain/chain-reader.js';
import { type ChainCursor, ChainStore, type StoredTransfer } from '../chain/chain-store.js';
import { BillingConfig } from '../config.js';
import { journalsOfOpening, journalsOfTransfer } from '../ledger/flows.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { clock } from '../tokens.js';
import { awaitBooks, tryTurn, turns } from '../turns.js';
import { Serial } from './serial.js';
import { findRecorded, keyName } from './unidentified.sql.js';

/** What a step came to: as in the intake, and `behind` when the node contradicts what it showed before. */
export type ChainProgress = 'more' | 'idle' | 'behind' | 'taken';

/** How the chain was, when it was last asked. */
export type ChainState = 'current' | 'behind' | 'unavailable' | 'diverged';

type Rollback = Pick<Step & { kind: 'rollback' }, 'to' | 'end'>;

/** From the chain into the books: transfers, their journals, and what is undone when blocks are gone. */
@Injectable()
export class ChainJob {
  readonly #logger = new Logger('Chain');
  readonly #serial = new Serial();

  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    private readonly reader: ChainReader,
    private readonly store: ChainStore,
    private readonly ledger: LedgerService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Books the next stretch of the chain. */
  step(): Promise<ChainProgress> {
    return this.#serial.run(() => this.#step());
  }

  /** Books until the end of the chain is reached, as far as there is time; says how the chain was then. */
  async catchUp(timeoutMs: number): Promise<ChainState> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const progress = await this.step().catch(chainState);
      if (progress === 'idle') return 'current';
      if (progress === 'diverged' || progress === 'unavailable') return progress;
      if (performance.now() >= deadlineMs) return 'behind';
      if (progress !== 'more') await pause(100);
    }
  }

  async #step(): Promise<ChainProgress> {
    const cursor = await this.store.cursor(this.sql);
    const step = await this.reader.next(cursor, (atOrBelow, limit) =>
      this.store.checkpoints(this.sql, atOrBelow, limit),
    );
    return this.sql.transaction(async (tx) => {
      if (!(await tryTurn(tx, turns.chain))) return 'taken';
      await awaitBooks(tx);
      const current = await this.store.cursor(tx, { lock: true });
      if (current?.blockNumber !== cursor?.blockNumber || current?.blockHash !== cursor?.blockHash) return 'taken';
      return current === null ? this.#open(tx, step) : this.#apply(tx, current, step);
    });
  }

  async #open(tx: Sql, step: Step): Promise<ChainProgress> {
    if (step.kind !== 'open') return 'more';
    const { network, payTo, chainStartBlock: startBlock } = this.config;
    const { before, opening, end } = step;
    await this.store.open(tx, { before, opening, startBlock, end });
    if (before !== null && opening !== null) {
      const journals = journalsOfOpening({ network: network.caip2, payTo, balance: opening, at: before.time });
      await this.ledger.post(tx, journals);
    }
    return 'more';
  }

  async #apply(tx: Sql, cursor: ChainCursor, step: Step): Promise<ChainProgress> {
    switch (step.kind) {
      case 'current':
        await this.store.advance(tx, { reached: step.end.head, end: step.end });
        return 'idle';
      case 'behind':
        return this.#doubt(tx, cursor, { to: step.at, end: step.end });
      case 'rollback':
        if (step.to.number < cursor.finalizedNumber) return this.#doubt(tx, cursor, step);
        await this.#rollBack(tx, step);
        return 'more';
      case 'extend': {
        const stored = await this.store.extend(tx, step, { now: this.now() });
        await this.#bookTransfers(tx, stored);
        await this.store.advance(tx, { reached: step.last, end: step.end });
        return step.last.number === step.end.head.number ? 'idle' : 'more';
      }
      // Another process has opened the wallet in between.
      case 'open':
      default:
        return 'more';
    }
  }

  /**
   * A node that is late catches up, and one that is wrong about final blocks is mended or left: so these are believed
   * only when they stay. A local chain that was killed has lost blocks for good.
   */
  async #doubt(tx: Sql, cursor: ChainCursor, rollback: Rollback): Promise<ChainProgress> {
    const now = this.now();
    const since = cursor.doubtedSince ?? now;
    if (now.getTime() - since.getTime() < this.config.chainDoubtMs) {
      await this.store.doubt(tx, since);
      return 'behind';
    }
    await this.#rollBack(tx, rollback);
    return 'more';
  }

  async #rollBack(tx: Sql, { to, end }: Rollback): Promise<void> {
    const orphaned = await this.store.rollBack(tx, { to, end, now: this.now() }, (ids) =>
      this.ledger.reverse(
        tx,
        ids.map((id) => `transfer:${id}`),
      ),
    );
    this.#logger.warn(`the chain was reorganized after block ${to.number}: ${orphaned} transfers are orphaned`);
  }

  async #bookTransfers(tx: Sql, transfers: readonly StoredTransfer[]): Promise<void> {
    const { network, payTo } = this.config;
    const paid = transfers.flatMap(({ authorization, asset }) =>
      authorization === null
        ? []
        : [{ network: network.caip2, asset, payer: authorization.authorizer, nonce: authorization.nonce }],
    );
    const recorded = await findRecorded(tx, paid);
    const journals = transfers.flatMap(({ id, asset, from, to, value, blockTime, authorization }) => {
      const key = authorization && {
        network: network.caip2,
        asset,
        payer: authorization.authorizer,
        nonce: authorization.nonce,
      };
      return journalsOfTransfer({
        id,
        network: network.caip2,
        payTo,
        from,
        to,
        value,
        authorized: authorization !== null,
        recorded: key !== null && recorded.has(keyName(key)),
        blockTime,
      });
    });
    await this.ledger.post(tx, journals);
  }
}

/** What a failed step says of the chain. A failure of the database is none of the chain's, and goes on. */
function chainState(error: unknown): 'more' | 'unavailable' | 'diverged' {
  if (error instanceof ChainDiverged) return 'diverged';
  if (error instanceof ChainError && error.kind === 'reorganized') return 'more';
  if (error instanceof ChainUnavailable || error instanceof ChainError) return 'unavailable';
  throw error;
}
