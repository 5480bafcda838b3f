import type { Clock } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from './config.js';
import { clock } from './tokens.js';
import { watchesOf, watchOf } from './watch.js';

/** What can keep the books from the present; each is a class of break as well. */
export const standstillClasses = ['intake-stalled', 'chain-stalled', 'chain-rewritten'] as const;

/** A part of the books that has not been of the present for longer than is normal. */
export interface Standstill {
  readonly class: (typeof standstillClasses)[number];
  /** The feed, or the wallet by its name in the books. */
  readonly subject: string;
  readonly keys: Readonly<Record<string, string>>;
  /** Since when: the last moment of which everything is known to be in. */
  readonly since: Date;
  readonly detail: string;
}

interface FeedRow {
  readonly complete_as_of: Date | null;
  readonly awaited_since: Date | null;
}

interface WalletRow {
  readonly watch: string;
  readonly asset: string;
  readonly pay_to: string;
  readonly finalized_number: string;
  readonly complete_as_of: Date | null;
  readonly doubt: string | null;
  readonly doubted_since: Date | null;
}

const feed = 'api';

/**
 * Finds what stands still. While the log or the chain cannot be read to its end, nothing that is missing from the books
 * can be called missing: without this, such books would look clean for as long as it lasts.
 */
@Injectable()
export class Standstills {
  // Where nothing was ever complete, only this process's own time can be counted.
  readonly #startedAt: Date;

  constructor(
    private readonly config: BillingConfig,
    @Inject(clock) private readonly now: Clock,
  ) {
    this.#startedAt = now();
  }

  /** What stands still now, by what the books say. */
  async find(sql: Sql): Promise<readonly Standstill[]> {
    const lateBefore = this.now().getTime() - this.config.stalledAfterMs;
    const doubtBefore = this.now().getTime() - this.config.chainDoubtMs;
    const found = [await this.#intake(sql), ...(await this.#chain(sql))];
    return oneOfEach(
      found.filter(({ class: name, since }) =>
        name === 'chain-rewritten' ? since.getTime() <= doubtBefore : since.getTime() < lateBefore,
      ),
    );
  }

  /** Since when the log and the configured wallet's chain are not known to be complete, however short that is. */
  async lags(sql: Sql): Promise<{ readonly intake: Date; readonly chain: Date }> {
    const intake = await this.#intake(sql);
    const rows = await this.#wallets(sql);
    const complete = watchesOf(this.config.network, this.config.payTo).map(
      (subject) => rows.find(({ watch }) => watch === subject)?.complete_as_of ?? this.#startedAt,
    );
    return { intake: intake.since, chain: complete.reduce((oldest, each) => (each < oldest ? each : oldest)) };
  }

  async #intake(sql: Sql): Promise<Standstill> {
    const [row] = await sql.query<FeedRow>({
      text: 'select complete_as_of, awaited_since from billing.feed_cursor where feed = $1',
      values: [feed],
    });
    const asOf = row?.complete_as_of ?? null;
    const since = asOf ?? row?.awaited_since ?? this.#startedAt;
    const detail = `${known('entry', asOf)} The feed cannot be read or has a gap, or nobody gives its entries their places.`;
    return { class: 'intake-stalled', subject: feed, keys: { feed }, since, detail };
  }

  async #chain(sql: Sql): Promise<readonly Standstill[]> {
    const { network, payTo } = this.config;
    const rows = await this.#wallets(sql);
    const unopened = network.tokens.flatMap((token) => {
      const watch = watchOf(network, token, payTo);
      if (rows.some((row) => row.watch === watch)) return [];
      const never = { finalized_number: '0', complete_as_of: null, doubt: null, doubted_since: null };
      return [{ watch, asset: token.address, pay_to: payTo, ...never }];
    });
    const { address } = network.usdc;
    const wallets = [...rows, ...unopened].toSorted(
      (a, b) => Number(b.asset === address) - Number(a.asset === address),
    );
    return [...wallets.map((row) => this.#stalled(row)), ...wallets.flatMap((row) => this.#rewritten(row))];
  }

  async #wallets(sql: Sql): Promise<readonly WalletRow[]> {
    return sql.query<WalletRow>({
      text: `select watch, asset, pay_to, finalized_number, complete_as_of, doubt, doubted_since from billing.chain_cursor
        where network = $1 order by watch`,
      values: [this.config.network.caip2],
    });
  }

  #stalled(row: WalletRow): Standstill {
    const since = row.complete_as_of ?? this.#startedAt;
    const detail = `${known('transfer', row.complete_as_of)} The node cannot be reached, or is behind what it showed before.`;
    return { ...this.#walletOf(row), class: 'chain-stalled', since, detail };
  }

  #rewritten(row: WalletRow): readonly Standstill[] {
    if (row.doubted_since === null || (row.doubt !== 'rewritten' && row.doubt !== 'diverged')) return [];
    const shows =
      row.doubt === 'diverged'
        ? 'The node serves a chain that has none of the blocks that were read'
        : `The node shows other blocks than were read, at or below block ${row.finalized_number}, which was final`;
    const detail = `${shows}: nothing of it is booked.`;
    return [{ ...this.#walletOf(row), class: 'chain-rewritten', since: row.doubted_since, detail }];
  }

  #walletOf({ watch, asset, pay_to: wallet }: WalletRow): Pick<Standstill, 'subject' | 'keys'> {
    return { subject: watch, keys: { network: this.config.network.caip2, asset, wallet } };
  }
}

/**
 * A wallet that stands still in several tokens does so for one reason: it is told once, of USDC where that is among
 * them.
 */
function oneOfEach(found: readonly Standstill[]): readonly Standstill[] {
  const named = (one: Standstill): string => `${one.class} ${one.keys['wallet'] ?? one.subject}`;
  return found.filter((one, index) => found.findIndex((other) => named(other) === named(one)) === index);
}

/** Says nothing that changes while it lasts, so that a break by it stays what it is. */
function known(what: string, asOf: Date | null): string {
  if (asOf === null) return `It was never known that every ${what} is in the books.`;
  return `Every ${what} up to ${asOf.toISOString()} is in the books; of later ones nothing is certain.`;
}
