import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { journalOf } from '../ledger/journal.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { type BreakChange, BreakService, type By } from '../reconcile/break.service.js';
import type { Break } from '../reconcile/break-row.js';
import { sourceOf } from '../reconcile/break-view.js';
import type { ResolutionKind } from '../reconcile/kinds.js';
import { clock } from '../tokens.js';
import { addWallet, type WalletGiven } from '../treasury/registry.js';
import { awaitBooks } from '../turns.js';
import { type Correction, postingOf, type ResolutionPosting } from './resolution-posting.js';

/** What an operator does to a break. */
export interface CaseChange extends BreakChange {
  /** A text resolves the break, null opens it again. */
  readonly resolution?: string | null | undefined;
  /** What the resolution posts. */
  readonly kind?: ResolutionKind | undefined;
  readonly correction?: Correction | undefined;
  /** With the kind `other-wallet`: names the wallet on the other side, instead of a posting. */
  readonly wallet?: NamedWallet | undefined;
}

type NamedWallet = Omit<WalletGiven, 'address'>;

/** Of each class the key of a break that says which wallet may be named. */
const otherSides: Readonly<Record<string, string>> = {
  'unknown-inbound': 'from',
  'unknown-outbound': 'to',
  'settled-not-recorded': 'payer',
};

/**
 * Resolutions of breaks and their journals: both are written in one transaction. A journal stands for as long as the
 * difference that it resolved is there and is the same.
 */
@Injectable()
export class Resolutions {
  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    private readonly breaks: BreakService,
    private readonly ledger: LedgerService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * Changes what `BreakService.lock` locked, and answers it as it is then. The same resolution again changes nothing.
   * 409 `break/conflict` for another one of a break that is resolved or proposed for one, `break/not-possible`.
   */
  async change(tx: Sql, found: Break, change: CaseChange, by: By): Promise<Break> {
    const { resolution, kind = 'no-posting', correction, wallet } = change;
    await this.breaks.change(tx, found.id, change);
    if (resolution === null) await this.#reopen(tx, found, by);
    else if (resolution !== undefined && wallet === undefined) {
      await this.#resolve(tx, found, { kind, text: resolution, correction, by });
    } else if (resolution !== undefined && wallet !== undefined) {
      await this.#nameWallet(tx, found, { wallet, by });
      // What is booked of the wallet is moved by the reading of the chain, this break's amount with it.
      await this.#resolve(tx, found, { kind: 'no-posting', text: resolution, correction, by });
    }
    return this.breaks.find(found.id, tx);
  }

  /** What a resolution of the kind would post, and whether a second operator would have to approve it. */
  async preview(
    found: Break,
    { kind, correction }: { readonly kind: ResolutionKind; readonly correction: Correction | undefined },
  ): Promise<(ResolutionPosting & { readonly needsSecond: boolean }) | null> {
    const posting = await postingOf(this.sql, found, { kind, correction });
    return posting && { ...posting, needsSecond: posting.amount > this.config.fourEyesAbove };
  }

  /**
   * Posts what another operator proposed. 409 `break/conflict` where nothing is proposed, by who proposed it, and where
   * the difference has become another since.
   */
  async approve(tx: Sql, found: Break, by: By): Promise<Break> {
    const { live } = found;
    if (found.status !== 'open' || live?.state !== 'proposed') throw conflict('No resolution is proposed for it.');
    if (live.proposedBy === by.id) throw conflict('Who proposed a resolution cannot approve it.');
    const { debit, credit, amount, kind } = live;
    if (debit === null || credit === null || amount === null) throw conflict('The proposal posts nothing.');
    const posting = await postingOf(tx, found, { kind, correction: { debit, credit, amount } });
    if (posting?.amount !== amount || posting.debit.code !== debit || posting.credit.code !== credit) {
      throw conflict('The difference is no longer the one that was proposed for: reject the proposal.');
    }
    await this.breaks.approve(tx, found, by);
    await this.#post(tx, { posting, source: sourceOf(found.id, live.nth) });
    return this.breaks.find(found.id, tx);
  }

  /** 409 `break/conflict` where nothing is proposed. */
  async reject(tx: Sql, found: Break, by: By): Promise<Break> {
    if (found.live?.state !== 'proposed') throw conflict('No resolution is proposed for it.');
    await this.breaks.reject(tx, found, by);
    return this.breaks.find(found.id, tx);
  }

  /**
   * Reverses the journals of resolutions whose difference has gone, or is another now: what was written off came in
   * after all. For after a reconciliation; how many there were.
   */
  async undoStale(): Promise<number> {
    const stale = await this.breaks.stale(this.sql);
    for (const id of stale) await this.sql.transaction(async (tx) => this.#undoStale(tx, id));
    return stale.length;
  }

  async #undoStale(tx: Sql, id: string): Promise<void> {
    const found = await this.breaks.lock(tx, id);
    const { live } = found;
    if (live === null) return;
    if (live.state === 'proposed') {
      if (found.status === 'resolved') await this.breaks.withdraw(tx, found);
    } else if (found.status === 'open' || (!found.present && live.kind !== 'no-posting')) {
      await this.#undo(tx, found, null);
    }
  }

  async #resolve(
    tx: Sql,
    found: Break,
    { kind, text, correction, by }: { kind: ResolutionKind; text: string; correction: Correction | undefined; by: By },
  ): Promise<void> {
    const { live, status } = found;
    if (live !== null && status === 'open' && live.state === 'posted') await this.#undo(tx, found, null);
    else if (live !== null || status === 'resolved') {
      if (live?.kind === kind && live.text === text && sameCorrection(found, correction)) return;
      throw conflict(
        status === 'resolved' ? 'It is resolved: open it again first.' : 'A resolution is proposed: reject it first.',
      );
    }
    const posting = await postingOf(tx, found, { kind, correction });
    const needsSecond = posting !== null && posting.amount > this.config.fourEyesAbove;
    const codes = posting && { ...posting, debit: posting.debit.code, credit: posting.credit.code };
    const nth = await this.breaks.propose(tx, found, { kind, text, posting: codes, needsSecond }, by);
    if (posting !== null && !needsSecond) await this.#post(tx, { posting, source: sourceOf(found.id, nth) });
  }

  /** The other side of a break has a name from now on. 409 `break/not-possible` where it has no other side. */
  async #nameWallet(tx: Sql, found: Break, { wallet, by }: { wallet: NamedWallet; by: By }): Promise<void> {
    const address = found.keys[otherSides[found.class] ?? ''];
    const { caip2: network } = this.config.network;
    if (address === undefined || found.keys['network'] !== network) {
      throw new Problem('break/not-possible', 'The break has no wallet on its other side that could be named.');
    }
    await addWallet(tx, network, { given: { ...wallet, address }, by: by.name, at: this.now() });
  }

  async #reopen(tx: Sql, found: Break, by: By): Promise<void> {
    // One that is open stays so, and its history has nothing to tell.
    if (found.status === 'open') return;
    if (found.live !== null) await this.#undo(tx, found, by);
    await this.breaks.reopen(tx, found, by);
  }

  async #undo(tx: Sql, found: Break, by: By | null): Promise<void> {
    await this.breaks.undo(tx, found, by);
    if (found.live === null || found.live.debit === null) return;
    await awaitBooks(tx);
    await this.ledger.reverse(tx, [sourceOf(found.id, found.live.nth)]);
  }

  async #post(
    tx: Sql,
    { posting, source }: { readonly posting: ResolutionPosting; readonly source: string },
  ): Promise<void> {
    const { debit, credit, amount } = posting;
    await awaitBooks(tx);
    await this.ledger.post(tx, [
      journalOf({ kind: 'resolution', source, occurredAt: this.now(), debit, credit, amount }),
    ]);
  }
}

function sameCorrection({ live }: Break, correction: Correction | undefined): boolean {
  if (correction === undefined || live === null) return true;
  const { debit, credit, amount } = correction;
  return live.debit === debit && live.credit === credit && live.amount === amount;
}

function conflict(detail: string): Problem {
  return new Problem('break/conflict', detail);
}
