import { Problem } from '@keyfare/core/problem';
import { unixSeconds } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { type NetworkAccess, Networks } from '../networks.js';
import { ReplicaId } from '../replica-id.js';
import type { Movement, PaymentOutcome, SettlementEvents } from '../settling.js';
import { Tracing } from '../tracing.js';
import {
  adoptRefunds,
  creditRefund,
  creditRejected,
  proposeRefund,
  type RefundRow,
  retryRefund,
  selectOpenRefunds,
  settleRefund,
  signRefund,
} from './refund.sql.js';
import { RefundLedger } from './refund-ledger.js';
import { refundNonce } from './refund-nonce.js';
import { Settler } from './settler.js';
import { simulate } from './signed.js';

/** Who proposes or decides. */
interface By {
  readonly id: string;
  readonly name: string;
}

// An authorization that does not come into a block for so long is signed anew.
const validSeconds = 6 * 3_600;
// What could not be sent is tried again after so long: the settler has no money as a rule.
const retryMs = 15_000;
const nothing = (): void => undefined;

/**
 * Pays back what `refund-due` entries say is owed: an operator proposes, another approves, and the settler of the
 * network sends the tokens from its own wallet by an authorization whose nonce follows from the entry. The transaction
 * is stored before it is broadcast, and followed until it is final, by another process when this one dies.
 */
@Injectable()
export class RefundService {
  readonly #logger = new Logger('Refunds');
  readonly #ledger: RefundLedger;
  readonly #settlers: ReadonlyMap<string, Settler>;
  readonly #busy = new Set<string>();
  readonly #retryAt = new Map<string, number>();
  #closed = false;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    networks: Networks,
    private readonly replica: ReplicaId,
    tracing: Tracing,
  ) {
    this.#ledger = new RefundLedger(sql, replica, (network) => networks.get(network).wallet.address);
    const events: SettlementEvents = {
      ended: (id, outcome) => void this.#end(id, outcome),
      dropped: (id, _dropped, outcome) => void this.#end(id, outcome),
      reverted: nothing,
      mined: nothing,
      concluded: nothing,
    };
    const onTrouble = (error: unknown): void => this.#logger.warn(error);
    const context = { config, sql, ledger: this.#ledger, onTrouble, events: () => events, tracing };
    this.#settlers = new Map(
      networks.all.map((access) => [access.settings.network.caip2, new Settler({ ...context, access })]),
    );
  }

  /** The newest entries first; one more than `limit`, where there are so many. */
  async list({
    state,
    after,
    limit,
  }: {
    readonly state?: string | undefined;
    readonly after: string | null;
    readonly limit: number;
  }): Promise<readonly RefundRow[]> {
    return this.sql.query<RefundRow>({
      text: `select * from keyfare.refund
        where ($1::uuid is null or entry_id < $1) and ($2::text is null or state = $2) order by entry_id desc limit $3`,
      values: [after, state ?? null, limit + 1],
    });
  }

  /** 404 `refund/not-found`. `lock`: nobody else changes it until the caller's transaction ends. */
  async find(entryId: string, sql: Sql = this.sql, lock = false): Promise<RefundRow> {
    const [row] = await sql.query<RefundRow>({
      text: `select * from keyfare.refund where entry_id = $1${lock ? ' for update' : ''}`,
      values: [entryId],
    });
    if (row === undefined) throw new Problem('refund/not-found');
    return row;
  }

  /**
   * Proposes to pay what an entry says is owed. 409 `refund/conflict` where no such entry is in the log, where its
   * payment is not final, on a network that is not configured, and for one that is proposed already.
   */
  async propose(tx: Sql, entryId: string, by: By): Promise<RefundRow> {
    const values = [entryId, by.id, by.name, this.config.clock()];
    const [row] = await tx.query<RefundRow>({ text: proposeRefund, values });
    if (row === undefined) {
      const detail = `${entryId} is no refund that is due and final, or one was proposed before, or it became credit.`;
      throw new Problem('refund/conflict', detail);
    }
    if (!this.#settlers.has(row.network)) throw new Problem('refund/conflict', `${row.network} is not configured.`);
    return row;
  }

  /** 409 `refund/conflict` for one that is not proposed, and by who proposed it. It is paid after the commit. */
  async approve(tx: Sql, found: RefundRow, by: By): Promise<RefundRow> {
    if (found.state !== 'proposed') throw new Problem('refund/conflict', 'The refund does not wait for a decision.');
    if (found.proposed_by === by.id) throw new Problem('refund/conflict', 'Who proposed a refund cannot approve it.');
    return this.#decide(tx, found, { state: 'approved', by });
  }

  /** 409 `refund/conflict` for one that is not proposed. It may be proposed again. */
  async reject(tx: Sql, found: RefundRow, by: By): Promise<RefundRow> {
    if (found.state !== 'proposed') throw new Problem('refund/conflict', 'The refund does not wait for a decision.');
    return this.#decide(tx, found, { state: 'rejected', by });
  }

  /**
   * What the entry says is owed becomes credit of a customer, in the books of billing: it is never paid back. Again is
   * the same. 404 `refund/not-found` where the entry says nothing is owed; 409 `refund/conflict` while a refund of it
   * is proposed, and once one was approved.
   */
  async credit(tx: Sql, entryId: string, by: By): Promise<RefundRow> {
    const values = [entryId, by.id, by.name, this.config.clock()];
    for (const text of [creditRejected, creditRefund]) {
      const [row] = await tx.query<RefundRow>({ text, values });
      if (row !== undefined) return row;
    }
    const found = await this.find(entryId, tx);
    if (found.state === 'credited') return found;
    if (found.state === 'rejected') throw new Problem('refund/conflict', 'It was rejected just now: ask again.');
    const why = found.state === 'proposed' ? 'A refund of it is proposed: reject it first.' : 'A refund of it is paid.';
    throw new Problem('refund/conflict', why);
  }

  /** What dead processes followed is this one's. */
  async sweep(tx: Sql, deadIds: readonly string[]): Promise<void> {
    await tx.query({ name: 'keyfare_adopt_refunds', text: adoptRefunds, values: [this.replica.id, deadIds] });
  }

  /** Pays what is approved, and follows what is under way and in no hands. */
  async tidy(): Promise<void> {
    const rows = await this.sql.query<RefundRow>({
      name: 'keyfare_open_refunds',
      text: selectOpenRefunds,
      values: [this.replica.id],
    });
    for (const row of rows) {
      const settler = this.#settlers.get(row.network);
      const { entry_id: id } = row;
      if (this.#closed || settler === undefined || this.#busy.has(id) || settler.watcher.has(id)) continue;
      if ((this.#retryAt.get(id) ?? 0) > performance.now()) continue;
      this.#busy.add(id);
      void (row.state === 'approved' ? this.#pay(settler, row) : this.#follow(settler, id))
        .catch((error: unknown) => this.#fail(id, error))
        .finally(() => this.#busy.delete(id));
    }
  }

  /** What is under way is in the database, for a peer. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#settlers.values()].map(async (settler) => settler.close()));
  }

  async #decide(
    tx: Sql,
    { entry_id: id }: RefundRow,
    { state, by }: { readonly state: 'approved' | 'rejected'; readonly by: By },
  ): Promise<RefundRow> {
    await tx.query({
      text: `update keyfare.refund set state = $2, decided_by = $3, decided_name = $4, decided_at = $5
        where entry_id = $1`,
      values: [id, state, by.id, by.name, this.config.clock()],
    });
    return this.find(id, tx);
  }

  async #pay(settler: Settler, { entry_id: id, network, asset, payer, amount }: RefundRow): Promise<void> {
    const { access } = settler;
    const token = access.settings.network.tokens.find(({ address }) => address === asset);
    if (token === undefined) throw new Error(`the token ${asset} of ${network} is not known`);
    const block = await access.chain.blockNumber();
    const validBefore = BigInt(unixSeconds(this.config.clock()) + validSeconds);
    const authorization = {
      from: access.wallet.address,
      to: payer,
      value: BigInt(amount),
      validAfter: 0n,
      validBefore,
      nonce: refundNonce(id),
    };
    const signature = access.wallet.signAuthorization(token, authorization);
    const signed = Buffer.from(signature.slice(2), 'hex');
    const values = [id, validBefore.toString(), signed, block.toString()];
    const [row] = await this.sql.query<RefundRow>({ text: signRefund, values });
    if (row === undefined) return;
    const movement = this.#ledger.movementOf(row);
    // A transfer that reverts would cost gas each time: the settler may have too little of the token.
    const tried = await simulate(access, movement);
    if (!tried.ok) throw new Error(await this.#whyNot(access, movement));
    const submitted = await settler.submit({ movement, call: null, waitingUntil: null, alone: true });
    if (typeof submitted !== 'string') void submitted.ended.then((outcome) => this.#end(id, outcome));
  }

  /** Why a transfer would fail. A nonce that is used has paid it: a database that was restored has forgotten that. */
  async #whyNot({ chain }: NetworkAccess, { asset, payer, nonce }: Movement): Promise<string> {
    const { number: block } = await chain.head();
    const { authorizationUsed } = await chain.readPayer({ asset, payer, nonce, block });
    return authorizationUsed
      ? 'it was paid before: its nonce is used on the chain'
      : 'the settler cannot pay it: its balance of the token may be too low';
  }

  async #follow(settler: Settler, id: string): Promise<void> {
    const resumed = await this.#ledger.resume([id]);
    for (const one of resumed) {
      if (one.wallet !== settler.access.wallet.address) {
        this.#logger.warn(`a refund on ${one.movement.network} waits for the settler ${one.wallet}`);
        this.#retryAt.set(id, performance.now() + retryMs);
        return;
      }
      const watch = await settler.resume(one);
      if (one.transaction === null) void watch.ended.then((outcome) => this.#end(id, outcome));
    }
  }

  /** Tried until it is written or the process ends: then a peer finds out anew. */
  async #end(id: string, outcome: PaymentOutcome): Promise<void> {
    for (let pauseMs = 100; !this.#closed; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      try {
        await this.sql.query(
          outcome.kind === 'settled'
            ? { text: settleRefund, values: [id, outcome.transaction] }
            : { text: retryRefund, values: [id, outcome.reason] },
        );
        return;
      } catch (error) {
        this.#logger.warn(error);
        await new Promise((wake) => setTimeout(wake, pauseMs).unref());
      }
    }
  }

  async #fail(id: string, error: unknown): Promise<void> {
    this.#retryAt.set(id, performance.now() + retryMs);
    this.#logger.warn(error);
    const failure = error instanceof Error ? error.message.slice(0, 500) : 'unknown';
    const text = `update keyfare.refund set failure = $2 where entry_id = $1 and state = 'approved'`;
    await this.sql.query({ text, values: [id, failure] }).catch(nothing);
  }
}
