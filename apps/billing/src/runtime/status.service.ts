import type { Clock } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import type { Chain } from '@keyfare/evm/chain';
import { readVersion, StatusPart } from '@keyfare/gate/operators';
import { Inject, Injectable } from '@nestjs/common';
import { severities, severityOf } from '../reconcile/kinds.js';
import { jobsSchema } from '../schema.js';
import { Standstills } from '../standstills.js';
import { findCode } from '../token.js';
import { clock, evmChain, feedPool } from '../tokens.js';
import { BillingLifecycle } from './lifecycle.js';
import { nextRun, queues } from './queues.js';
import type { StatusView } from './status-view.js';

interface WalletRow {
  readonly network: string;
  readonly asset: string;
  readonly pay_to: string;
  readonly block_number: string;
  readonly head_number: string;
  readonly finalized_number: string;
  readonly complete_as_of: Date | null;
  readonly doubt: string | null;
  readonly doubted_since: Date | null;
}

interface QueueRow {
  readonly name: string;
  readonly waiting: number;
  readonly running_since: Date | null;
  readonly retry_at: Date | null;
  readonly last_done: Date | null;
  readonly last_failed: Date | null;
  readonly failed: number;
  readonly last_error: string | null;
}

type Known<Name extends keyof StatusView> = Omit<Extract<StatusView[Name], { state: 'available' }>, 'state'>;

const version = readVersion(new URL('../../../package.json', import.meta.url));

/** How billing is, for those who operate it: each part asked by itself. */
@Injectable()
export class BillingStatus {
  readonly #startedAt = new Date(Date.now() - process.uptime() * 1_000);
  readonly #log = new StatusPart(() => this.#readLog());
  readonly #feed = new StatusPart(() => this.#readFeed());
  readonly #node = new StatusPart(async () => ({ block: (await this.chain.blockNumber()).toString() }));
  readonly #chain = new StatusPart(() => this.#readChain());
  readonly #receiptKeys = new StatusPart(() => this.#readKeys());
  readonly #reconciliation = new StatusPart(() => this.#readReconciliation());
  readonly #jobs = new StatusPart(() => this.#readJobs());

  constructor(
    private readonly sql: SqlPool,
    private readonly standstills: Standstills,
    private readonly lifecycle: BillingLifecycle,
    @Inject(feedPool) private readonly feedSql: SqlPool,
    @Inject(evmChain) private readonly chain: Chain,
    @Inject(clock) private readonly now: Clock,
  ) {}

  async read(): Promise<StatusView> {
    const [log, feed, node, chain, receiptKeys, reconciliation, jobs] = await Promise.all([
      this.#log.read(),
      this.#feed.read(),
      this.#node.read(),
      this.#chain.read(),
      this.#receiptKeys.read(),
      this.#reconciliation.read(),
      this.#jobs.read(),
    ]);
    const uptimeSeconds = Math.floor(process.uptime());
    return {
      at: this.now().toISOString(),
      process: { version, startedAt: this.#startedAt.toISOString(), uptimeSeconds },
      log,
      feed,
      node,
      chain,
      receiptKeys,
      reconciliation,
      jobs,
      loops: this.lifecycle.loops.map(({ name, lastDoneAt, failures }) => ({
        name,
        lastDoneAt: textOf(lastDoneAt),
        failures,
      })),
    };
  }

  async #readLog(): Promise<Known<'log'>> {
    const [cursor] = await this.sql.query<{ place: string; complete_as_of: Date | null }>({
      text: `select place, complete_as_of from billing.feed_cursor where feed = 'api'`,
    });
    const { intake } = await this.standstills.lags(this.sql);
    const stalled = (await this.standstills.find(this.sql)).find(({ class: name }) => name === 'intake-stalled');
    return {
      place: cursor?.place ?? '0',
      completeAsOf: textOf(cursor?.complete_as_of ?? null),
      delayMs: this.#since(intake),
      stalledSince: textOf(stalled?.since ?? null),
    };
  }

  async #readFeed(): Promise<Known<'feed'>> {
    const [head] = await this.feedSql.query<{ place: string }>({ text: 'select place from keyfare.log_head' });
    const [read] = await this.sql.query<{ place: string }>({
      text: `select place from billing.feed_cursor where feed = 'api'`,
    });
    const [last, place] = [BigInt(head?.place ?? 0), BigInt(read?.place ?? 0)];
    return { head: last.toString(), unread: (last > place ? last - place : 0n).toString() };
  }

  async #readChain(): Promise<Known<'chain'>> {
    const rows = await this.sql.query<WalletRow>({
      text: `select network, asset, pay_to, block_number, head_number, finalized_number, complete_as_of, doubt,
          doubted_since
        from billing.chain_cursor order by watch limit 100`,
    });
    const found = await this.standstills.find(this.sql);
    return {
      wallets: rows.map((row) => ({
        network: row.network,
        token: row.asset,
        asset: findCode(row),
        wallet: row.pay_to,
        block: row.block_number,
        head: row.head_number,
        finalized: row.finalized_number,
        completeAsOf: textOf(row.complete_as_of),
        delayMs: row.complete_as_of === null ? null : this.#since(row.complete_as_of),
        doubt: row.doubt,
        doubtedSince: textOf(row.doubted_since),
      })),
      standstills: found
        .filter(({ class: name }) => name !== 'intake-stalled')
        .map(({ class: name, subject, since, detail }) => ({
          class: name,
          subject,
          since: since.toISOString(),
          detail,
        })),
    };
  }

  async #readKeys(): Promise<Known<'receiptKeys'>> {
    const rows = await this.sql.query<{ kid: string; first_seen_at: Date }>({
      text: 'select kid, first_seen_at from billing.receipt_key order by first_seen_at desc, kid limit 100',
    });
    return { keys: rows.map(({ kid, first_seen_at: at }) => ({ id: kid, firstSeenAt: at.toISOString() })) };
  }

  async #readReconciliation(): Promise<Known<'reconciliation'>> {
    const [last] = await this.sql.query<{ id: string; trigger: string; finished_at: Date }>({
      text: 'select id, trigger, finished_at from billing.reconciliation order by finished_at desc limit 1',
    });
    const [open] = await this.sql.query<{ id: string; scope: string; state: string; requested_at: Date }>({
      text: `select id, scope, state, requested_at from billing.reconciliation_run where state in ('queued', 'running')
        order by state = 'running' desc, requested_at limit 1`,
    });
    const breaks = await this.sql.query<{ class: string; count: number }>({
      text: `select class, count(*)::int as count from billing.break where status = 'open' group by class`,
    });
    const counted = severities.map((severity) => {
      const of = breaks.filter(({ class: name }) => severityOf(name) === severity);
      return [severity, of.reduce((sum, { count }) => sum + count, 0)] as const;
    });
    return {
      last:
        last === undefined
          ? null
          : {
              id: last.id,
              trigger: last.trigger,
              finishedAt: last.finished_at.toISOString(),
              ageSeconds: Math.floor(this.#since(last.finished_at) / 1_000),
            },
      underWay:
        open === undefined
          ? null
          : { id: open.id, scope: open.scope, state: open.state, requestedAt: open.requested_at.toISOString() },
      openBreaks: Object.fromEntries(counted) as Known<'reconciliation'>['openBreaks'],
    };
  }

  async #readJobs(): Promise<Known<'jobs'>> {
    const rows = await this.sql.query<QueueRow>({ text: queueText });
    return {
      queues: Object.values(queues).map((queue) => {
        const row = rows.find(({ name }) => name === queue.name);
        return {
          name: queue.name,
          waiting: row?.waiting ?? 0,
          runningSince: textOf(row?.running_since ?? null),
          retryAt: textOf(row?.retry_at ?? null),
          nextAt: nextRun(queue, this.now()).toISOString(),
          lastDoneAt: textOf(row?.last_done ?? null),
          lastFailedAt: textOf(row?.last_failed ?? null),
          failed: row?.failed ?? 0,
          lastError: row?.last_error ?? null,
        };
      }),
    };
  }

  #since(moment: Date): number {
    return Math.max(0, this.now().getTime() - moment.getTime());
  }
}

// pg-boss keeps what has ended for some days, and moves it to its archive after half of one.
const queueText = `
  with jobs as (
    select name, state::text, started_on, completed_on, start_after, output from ${jobsSchema}.job
    union all select name, state::text, started_on, completed_on, start_after, output from ${jobsSchema}.archive)
  select name, count(*) filter (where state = 'created')::int as waiting,
    min(started_on) filter (where state = 'active') as running_since,
    min(start_after) filter (where state = 'retry') as retry_at,
    max(completed_on) filter (where state = 'completed') as last_done,
    max(coalesce(completed_on, started_on)) filter (where state in ('failed', 'retry')) as last_failed,
    count(*) filter (where state = 'failed')::int as failed,
    (array_agg(left(output ->> 'message', 500) order by coalesce(completed_on, started_on) desc)
      filter (where state in ('failed', 'retry')))[1] as last_error
  from jobs group by name`;

function textOf(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
