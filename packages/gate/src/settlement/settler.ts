import type { SqlPool } from '@keyfare/db/sql';
import type { GateConfig } from '../config.js';
import type { NetworkAccess } from '../networks.js';
import type { PaymentLedger, Resumed, SettlementEvents, Submission, Submitted, Watch } from '../settling.js';
import type { Tracing } from '../tracing.js';
import { Judge } from './judge.js';
import { simulate } from './signed.js';
import { Submissions } from './submissions.js';
import { Verdicts } from './verdicts.js';
import { Watcher } from './watcher.js';

/** What a settler of one network needs. */
export interface SettlerContext {
  readonly config: GateConfig;
  readonly sql: SqlPool;
  readonly ledger: PaymentLedger;
  readonly access: NetworkAccess;
  readonly events: () => SettlementEvents;
  readonly onTrouble: (error: unknown) => void;
  readonly tracing: Tracing;
}

/** One network's wallet, its submissions and its watcher. */
export class Settler {
  readonly access: NetworkAccess;
  readonly submissions: Submissions;
  readonly watcher: Watcher;
  readonly judge: Judge;
  readonly #verdicts: Verdicts;

  constructor({ config, sql, ledger, access, events, onTrouble, tracing }: SettlerContext) {
    this.access = access;
    this.submissions = new Submissions({ sql, access, ledger, now: config.clock, tracing });
    this.judge = new Judge(access.chain, access.wallet.address);
    const { confirmations, network } = access.settings;
    const { caip2 } = network;
    const now = config.clock;
    this.#verdicts = new Verdicts({ judge: this.judge, ledger, events, confirmations, network: caip2, now });
    this.watcher = new Watcher({
      chain: access.chain,
      network: caip2,
      submissions: this.submissions,
      judge: this.judge,
      simulate: (movement) => simulate(access, movement),
      verdicts: this.#verdicts,
      ledger,
      shortestPollMs: 5,
      longestPollMs: 1_000,
      rebroadcastAfterMs: 5_000,
      retryAfterMs: 1_000,
      replaceAfterMs: config.replaceAfterMs,
      onTrouble,
      apart: (work) => tracing.runApart(work),
    });
  }

  /** When this process last saw a settlement of this wallet in a block. */
  get lastMinedAt(): Date | null {
    return this.#verdicts.lastMinedAt;
  }

  /** Signs, stores, broadcasts and follows. */
  async submit(submission: Submission): Promise<Submitted> {
    const placed = await this.submissions.submit(submission);
    return typeof placed === 'string' ? placed : this.watcher.watch(submission.movement, placed);
  }

  /** Follows a payment of the database. */
  async resume(one: Resumed): Promise<Watch> {
    const transactions = await this.submissions.find(one.walletNonce);
    return this.watcher.resume(one, { nonce: one.walletNonce, transactions });
  }

  async close(): Promise<void> {
    await Promise.all([this.submissions.close(), this.watcher.close()]);
  }
}
