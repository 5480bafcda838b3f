import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { ChainError, ChainUnavailable } from '@keyfare/evm/chain';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ChainDiverged, type Step } from '../chain/chain-reader.js';
import type { ChainCursor, StoredTransfer } from '../chain/chain-store.js';
import { type Wallet, Wallets } from '../chain/wallets.js';
import { BillingConfig } from '../config.js';
import { identificationOf, journalsOfOpening, journalsOfTransfer } from '../ledger/flows.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { moveFinality } from '../match/match-payments.js';
import { clock } from '../tokens.js';
import { keepTills, markApplied, nextUnapplied } from '../treasury/registry.js';
import { awaitBooks, tryTurn, turns } from '../turns.js';
import { gasDue, gasGone, keepGas } from './gas.js';
import { matchLives, matchTransfers } from './match-lives.js';
import { natureOf, readKnown } from './natures.js';
import { claimsOf, keyName, readLives } from './payments.sql.js';
import { findReclaimed, standingWith } from './reclaimed.js';
import { findRefunds, matchRefunds, undoRefunds } from './refunds.js';
import { Serial } from './serial.js';

// What a step came to, the most urgent first: the wallets together come to the first that one of them came to.
const outcomes = ['more', 'taken', 'rewritten', 'behind', 'idle'] as const;

/**
 * What a step came to: as in the intake; `behind` when the node contradicts what it showed before, and `rewritten` when
 * it has shown other blocks for final ones for so long that it will not be waited for.
 */
export type ChainProgress = (typeof outcomes)[number];

/** How the chain was, when it was last asked. */
export type ChainState = 'current' | 'behind' | 'unavailable' | 'rewritten' | 'diverged';

// So many transfers are looked at in one transaction when a wallet has been named.
const appliedAtOnce = 500;

type Rollback = Pick<Step & { kind: 'rollback' }, 'to' | 'end'>;

/** From the chain into the books: transfers, their journals, and what is undone when blocks are gone. */
@Injectable()
export class ChainJob {
  readonly #logger = new Logger('Chain');
  readonly #serial = new Serial();

  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    private readonly wallets: Wallets,
    private readonly ledger: LedgerService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Books the next stretch of the chain, for each wallet. */
  step(): Promise<ChainProgress> {
    return this.#serial.run(async () => {
      const { network, payTo, furtherPayees } = this.config;
      await keepTills(this.sql, network.caip2, { addresses: [payTo, ...furtherPayees], at: this.now() });
      const found = new Set<ChainProgress>();
      const moved = await this.#applyWallets();
      if (moved !== null) found.add(moved);
      for (const wallet of await this.wallets.followed(this.sql)) found.add(await this.#step(wallet));
      return outcomes.find((outcome) => found.has(outcome)) ?? 'idle';
    });
  }

  /** Books until the end of the chain is reached, as far as there is time; says how the chain was then. */
  async catchUp(timeoutMs: number): Promise<ChainState> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const progress = await this.step().catch(chainState);
      if (progress === 'idle') return 'current';
      if (progress === 'diverged' || progress === 'unavailable' || progress === 'rewritten') return progress;
      if (performance.now() >= deadlineMs) return 'behind';
      if (progress !== 'more') await pause(100);
    }
  }

  /**
   * Moves what was booked before a wallet was named to where it belongs since, some hundreds of transfers of one wallet
   * at a time; null where all of it stands there. Goes on after the last one that was looked at, by whichever process.
   */
  async #applyWallets(): Promise<ChainProgress | null> {
    const { caip2: network } = this.config.network;
    if ((await nextUnapplied(this.sql, network)) === null) return null;
    return this.sql.transaction(async (tx) => {
      if (!(await tryTurn(tx, turns.chain))) return 'taken';
      await awaitBooks(tx);
      const wallet = await nextUnapplied(tx, network, { lock: true });
      if (wallet === null) return null;
      const transfers = await standingWith(tx, wallet, { after: wallet.appliedUpTo, limit: appliedAtOnce });
      const keys = transfers.flatMap(({ key }) => key ?? []);
      const lives = await readLives(tx, keys);
      const reclaimed = await findReclaimed(tx, transfers, claimsOf(lives));
      await this.ledger.post(tx, reclaimed.map(identificationOf));
      const ids = transfers.map(({ id }) => id);
      await this.ledger.reverse(tx, await gasGone(tx, ids));
      await this.ledger.post(tx, await gasDue(tx, { transfers: ids }));
      await keepGas(tx, { transfers: ids });
      await matchLives(tx, keys, { lives, now: this.now() });
      await matchRefunds(tx, transfers, this.now());
      const last = transfers.length < appliedAtOnce ? null : (transfers.at(-1)?.id ?? null);
      await markApplied(tx, wallet, { upTo: last });
      // Another wallet may have been named with it.
      return 'more';
    });
  }

  async #step(wallet: Wallet): Promise<ChainProgress> {
    const { store } = wallet;
    const cursor = await store.cursor(this.sql);
    const step = await this.#look(wallet, cursor);
    return this.sql.transaction(async (tx) => {
      if (!(await tryTurn(tx, turns.chain))) return 'taken';
      await awaitBooks(tx);
      const current = await store.cursor(tx, { lock: true });
      if (current?.blockNumber !== cursor?.blockNumber || current?.blockHash !== cursor?.blockHash) return 'taken';
      return current === null ? this.#open(tx, wallet, step) : this.#apply(tx, { wallet, cursor: current, step });
    });
  }

  /** A chain that shares nothing with the books goes no further than this; that it was seen is noted. */
  async #look(wallet: Wallet, cursor: ChainCursor | null): Promise<Step> {
    const { reader, store } = wallet;
    if (cursor === null) return reader.open(await this.wallets.startOf(this.sql, wallet));
    try {
      return await reader.next(cursor, (atOrBelow, limit) => store.checkpoints(this.sql, atOrBelow, limit));
    } catch (error) {
      if (error instanceof ChainDiverged) await store.doubt(this.sql, 'diverged', this.now());
      throw error;
    }
  }

  async #open(tx: Sql, { payTo, token, store }: Wallet, step: Step): Promise<ChainProgress> {
    if (step.kind !== 'open') return 'more';
    const { network } = this.config;
    const { before, opening, end } = step;
    const startBlock = before === null ? 0n : before.number + 1n;
    await store.open(tx, { before, opening, startBlock, end });
    if (before !== null && opening !== null) {
      const place = { network: network.caip2, asset: token.symbol, payTo };
      await this.ledger.post(tx, journalsOfOpening({ ...place, balance: opening, at: before.time }));
    }
    return 'more';
  }

  async #apply(tx: Sql, found: { wallet: Wallet; cursor: ChainCursor; step: Step }): Promise<ChainProgress> {
    const { wallet, cursor, step } = found;
    switch (step.kind) {
      case 'current':
        await wallet.store.advance(tx, { reached: step.end.head, end: step.end });
        if (step.end.finalizedNumber !== cursor.finalizedNumber) await this.#moveFinality(tx, wallet, cursor);
        return this.#atEnd(cursor, step);
      case 'behind':
        return this.#doubt(tx, found, { to: step.at, end: step.end });
      case 'rollback':
        if (step.to.number < cursor.finalizedNumber) return this.#doubt(tx, found, step);
        await this.#rollBack(tx, wallet, step);
        return 'more';
      case 'extend': {
        const stored = await wallet.store.extend(tx, step, { now: this.now() });
        await this.#bookTransfers(tx, wallet, stored);
        await wallet.store.advance(tx, { reached: step.last, end: step.end });
        await this.#moveFinality(tx, wallet, cursor);
        return step.last.number === step.end.head.number ? this.#atEnd(cursor, step) : 'more';
      }
      // Another process has opened the wallet in between.
      case 'open':
      default:
        return 'more';
    }
  }

  /** What has become final since the cursor was there: matches, and what transactions of ours have cost. */
  async #moveFinality(tx: Sql, { store }: Wallet, { blockNumber, finalizedNumber }: ChainCursor): Promise<void> {
    await moveFinality(tx, store.watch, this.now());
    const after = blockNumber < finalizedNumber ? blockNumber : finalizedNumber;
    await this.ledger.post(tx, await gasDue(tx, { watch: store.watch, after }));
    await keepGas(tx, { watch: store.watch, after });
  }

  /** The end of what the node shows is not the chain's, when the chain was seen to go further. */
  #atEnd({ headNumber }: ChainCursor, { end }: Step): ChainProgress {
    return this.config.chainMayLoseBlocks || end.head.number >= headNumber ? 'idle' : 'behind';
  }

  /**
   * A node that shows fewer blocks than were read is late, and is waited for; one that shows others for final ones is
   * wrong, or nothing can be relied on any more. Neither undoes what is booked: behind a provider's address every
   * question may be answered by another node. Only a local chain that was killed has lost its blocks for good.
   */
  async #doubt(
    tx: Sql,
    { wallet, cursor, step }: { wallet: Wallet; cursor: ChainCursor; step: Step },
    rollback: Rollback,
  ): Promise<ChainProgress> {
    const now = this.now();
    const since = cursor.doubtedSince ?? now;
    const lasting = now.getTime() - since.getTime() >= this.config.chainDoubtMs;
    if (lasting && this.config.chainMayLoseBlocks) {
      await this.#rollBack(tx, wallet, rollback);
      return 'more';
    }
    await wallet.store.doubt(tx, step.kind === 'behind' ? 'behind' : 'rewritten', now);
    return lasting && step.kind === 'rollback' ? 'rewritten' : 'behind';
  }

  async #rollBack(tx: Sql, { store }: Wallet, { to, end }: Rollback): Promise<void> {
    const orphaned = await store.rollBack(tx, { to, end, now: this.now() }, async (ids) => {
      await this.ledger.reverse(
        tx,
        ids.map((id) => `transfer:${id}`),
      );
      await this.ledger.reverse(tx, await gasGone(tx, ids));
      await keepGas(tx, { transfers: ids });
      await matchTransfers(tx, ids, this.now());
      await undoRefunds(tx, ids, this.now());
    });
    await moveFinality(tx, store.watch, this.now());
    this.#logger.warn(`the chain was reorganized after block ${to.number}: ${orphaned} transfers are orphaned`);
  }

  async #bookTransfers(tx: Sql, { payTo, token }: Wallet, transfers: readonly StoredTransfer[]): Promise<void> {
    const network = this.config.network.caip2;
    const paid = transfers.flatMap(({ authorization, asset }) =>
      authorization === null ? [] : [{ network, asset, payer: authorization.authorizer, nonce: authorization.nonce }],
    );
    const lives = await readLives(tx, paid);
    const claims = claimsOf(lives);
    const sides = transfers.map((transfer) => ({
      ...transfer,
      payTo,
      sender: transfer.transactionFrom,
      key: transfer.authorization && {
        network,
        asset: transfer.asset,
        payer: transfer.authorization.authorizer,
        nonce: transfer.authorization.nonce,
      },
    }));
    const refunds = await findRefunds(tx, sides);
    const known = await readKnown(tx, network, sides);
    const journals = sides.flatMap((transfer) => {
      const { id, from, to, value, blockTime, authorization, key } = transfer;
      return journalsOfTransfer({
        id,
        network,
        asset: token.symbol,
        payTo,
        from,
        to,
        value,
        authorized: authorization !== null,
        claim: (key && claims.get(keyName(key))) ?? 'none',
        nature: natureOf(transfer, { known, isRefund: refunds.has(id) }),
        blockTime,
      });
    });
    await this.ledger.post(tx, journals);
    await matchLives(tx, paid, { lives, now: this.now() });
    await matchRefunds(tx, sides, this.now());
  }
}

/** What a failed step says of the chain. A failure of the database is none of the chain's, and goes on. */
function chainState(error: unknown): 'more' | 'unavailable' | 'diverged' {
  if (error instanceof ChainDiverged) return 'diverged';
  if (error instanceof ChainError && error.kind === 'reorganized') return 'more';
  if (error instanceof ChainUnavailable || error instanceof ChainError) return 'unavailable';
  throw error;
}
