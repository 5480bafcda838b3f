import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import { randomBytes, randomUUID } from 'node:crypto';
import type { PlanTerms } from '@keyfare/core/metering';
import { money } from '@keyfare/core/money';
import { DatabaseUnavailable, errorCode, SqlPool, type Statement } from '@keyfare/db/sql';
import { createTestDatabase, patience, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import type { GateConfig } from '../src/config.js';
import { migrateGate } from '../src/database.js';
import { newExchangeId } from '../src/exchange/exchange.js';
import { PostOffice } from '../src/exchange/post.js';
import type { KeyHold } from '../src/meter/hold.js';
import { MeterService } from '../src/meter/meter.service.js';
import { GateMetrics } from '../src/metrics.js';
import { ReplicaId } from '../src/replica-id.js';
import { gateRole } from '../src/schema.js';
import { Tracing } from '../src/tracing.js';
import { rows } from './requests.js';

/** One step of one of three processes; `size` is how many units, or which of its holds. */
interface Step {
  readonly kind: 'hold' | 'post' | 'void' | 'fold' | 'lose' | 'die' | 'fence';
  readonly process: number;
  readonly size: number;
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('hold', 'hold', 'hold', 'post', 'post', 'void', 'fold', 'lose', 'die', 'fence'),
    process: fc.nat({ max: 2 }),
    size: fc.nat({ max: 3 }),
  }),
  { minLength: 5, maxLength: 25 },
);

const periodStart = new Date('2026-11-01T00:00:00Z');
const at = new Date('2026-11-26T00:00:00Z');

describe('leases against a model', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase({
      template: { name: 'gate', migrate: async (url) => void (await migrateGate(url)) },
    });
  });
  afterAll(async () => {
    await database.drop();
  });

  it.each([
    ['reject', 1n],
    ['reject', 9n],
    ['invoice', 3n],
  ] as const)(
    'count every posted unit once and never pass the cap, whatever is leased, lost, taken for dead or killed (%s, %s units)',
    async (overage, includedUnits) => {
      await fc.assert(
        fc.asyncProperty(steps, async (sequence) => {
          const world = await World.open(database.url, { overage, includedUnits });
          try {
            for (const step of sequence) {
              await world.take(step);
              await world.check();
            }
            await world.end();
          } finally {
            await world.close();
          }
        }),
        { numRuns: 12 },
      );
    },
    180_000,
  );
});

/** A process: a meter, a post office, and a wire to the database that can lose answers. */
class Process {
  readonly replica = new ReplicaId();
  readonly holds: KeyHold[] = [];
  readonly sql: SqlPool;
  readonly meter: MeterService;
  readonly post: PostOffice;
  /** What becomes of the next statement about leases. */
  loss: 'request' | 'answer' | undefined;

  constructor(url: string) {
    this.sql = new SqlPool({ ...patience, url, applicationName: 'model', role: gateRole, poolSize: 2 });
    const query = this.sql.query.bind(this.sql);
    this.sql.query = async <Row>(statement: Statement): Promise<readonly Row[]> => {
      if (this.loss === undefined || statement.name !== 'keyfare_settle_leases') return query<Row>(statement);
      const { loss } = this;
      this.loss = undefined;
      if (loss === 'answer') await query(statement);
      throw new DatabaseUnavailable(new Error('the connection broke'), { inDoubt: true });
    };
    this.meter = new MeterService({ clock: () => at } as GateConfig, this.sql, this.replica);
    this.post = new PostOffice(this.sql, this.replica, new GateMetrics(), new Tracing());
    this.replica.onFenced(async () => {
      const id = randomUUID();
      await register(url, id);
      this.replica.rename(id);
      this.meter.renamed();
    });
  }
}

class World {
  readonly #processes: Process[] = [];
  #posted = 0n;

  private constructor(
    private readonly url: string,
    private readonly accountId: string,
    private readonly plan: PlanTerms,
  ) {}

  static async open(url: string, { overage, includedUnits }: Pick<PlanTerms, 'overage' | 'includedUnits'>) {
    const planId = `plan_${randomBytes(6).toString('hex')}`;
    const accountId = `acct_${randomBytes(6).toString('hex')}`;
    await rows(url, `insert into keyfare.plan values ($1, $1, 1, $2, $3, 0, 0, now())`, [
      planId,
      includedUnits.toString(),
      overage,
    ]);
    await rows(
      url,
      `insert into keyfare.account (id, name, plan_id, created_at, effective_at) values ($1, 'Model', $2, now(), now())`,
      [accountId, planId],
    );
    const free = money('USD', 0n);
    const plan = { planId, slug: planId, version: 1, includedUnits, overage, overagePrice: free, monthlyPrice: free };
    const world = new World(url, accountId, plan);
    for (let index = 0; index < 3; index += 1) world.#processes.push(await world.#start());
    return world;
  }

  async take({ kind, process: index, size }: Step): Promise<void> {
    const process = this.#processes[index];
    if (process === undefined) throw new Error('no such process');
    const hold = process.holds[size % Math.max(1, process.holds.length)];
    if (kind === 'hold') await this.#hold(process, BigInt(size + 1));
    else if (kind === 'fold') await process.meter.giveBack(this.accountId).catch(() => undefined);
    else if (kind === 'lose') process.loss = size % 2 === 0 ? 'answer' : 'request';
    else if (kind === 'fence') await this.#sweep(process.replica.id);
    else if (kind === 'die') await this.#die(index, hold);
    else if (hold !== undefined) {
      process.holds.splice(process.holds.indexOf(hold), 1);
      if (kind === 'void') process.meter.void(hold);
      else await this.#post(process, hold, hold.units > BigInt(size) ? BigInt(size) + 1n : hold.units);
    }
  }

  /** At every moment: what is counted is at most what was served, and what was served is counted or leased. */
  async check(): Promise<void> {
    const counters = await this.#counters();
    if (counters === undefined) return;
    const { used, leased, open_leases } = counters;
    if (this.plan.overage !== 'invoice') ok(this.#posted <= this.plan.includedUnits, 'the cap was passed');
    ok(BigInt(used) <= this.#posted, 'more is counted than was served');
    if (this.plan.overage !== 'invoice') ok(this.#posted <= BigInt(used) + BigInt(leased), 'units are lost');
    if (open_leases === 0) strictEqual(BigInt(used), this.#posted);
  }

  /** When all processes have ended, in whatever way, the counter is what was served. */
  async end(): Promise<void> {
    for (const process of this.#processes) {
      for (const hold of process.holds) process.meter.void(hold);
      process.loss = undefined;
      await process.meter.close();
    }
    await rows(this.url, 'delete from keyfare.replica');
    await this.#processes[0]?.sql.transaction(async (tx) => this.#processes[0]?.meter.sweep(tx));
    const counters = await this.#counters();
    if (counters === undefined) strictEqual(this.#posted, 0n);
    else deepStrictEqual({ ...counters }, { used: this.#posted.toString(), leased: '0', open_leases: 0 });
    deepStrictEqual(await rows(this.url, 'select 1 from keyfare.lease'), []);
  }

  async close(): Promise<void> {
    for (const process of this.#processes) await process.sql.close();
    await rows(this.url, 'delete from keyfare.replica');
  }

  async #start(): Promise<Process> {
    const process = new Process(this.url);
    await register(this.url, process.replica.id);
    return process;
  }

  async #hold(process: Process, units: bigint): Promise<void> {
    try {
      const hold = await process.meter.hold({ accountId: this.accountId, plan: this.plan }, units, at);
      if (typeof hold !== 'string') process.holds.push(hold);
    } catch (error) {
      // Only the database that was made to be away may refuse without an answer.
      strictEqual(errorCode(error), 'service/database-unavailable');
    }
  }

  /** Posts as the corridor does: a call whose lease was swept is held again, and refused where nothing is left. */
  async #post(process: Process, hold: KeyHold, units: bigint): Promise<void> {
    const id = newExchangeId(at);
    for (let held = hold; ; ) {
      try {
        const post = await process.post.postKeyCall(this.#call(id, held, units));
        this.#posted += units;
        process.meter.posted(held, { post, units });
        return;
      } catch (error) {
        strictEqual(errorCode(error), 'KF001');
        await process.meter.forget(held);
        const again = await Promise.resolve(
          process.meter.hold({ accountId: this.accountId, plan: this.plan }, units, at),
        ).catch(() => 'unavailable' as const);
        if (typeof again === 'string') return;
        held = again;
      }
    }
  }

  /** Ends a process at once, with a call that is posted and of which it has not heard. Another takes its place. */
  async #die(index: number, hold: KeyHold | undefined): Promise<void> {
    const process = this.#processes[index];
    if (process === undefined) return;
    if (hold !== undefined) {
      const posted = await process.post.postKeyCall(this.#call(newExchangeId(at), hold, hold.units)).catch(() => null);
      if (posted !== null) this.#posted += hold.units;
    }
    await process.sql.close();
    this.#processes[index] = await this.#start();
    await this.#sweep(process.replica.id);
  }

  /** What a peer does when it finds a process silent. */
  async #sweep(replicaId: string): Promise<void> {
    const sweeper = this.#processes.find(({ replica }) => replica.id !== replicaId);
    await sweeper?.sql.transaction(async (tx) => {
      await tx.query({ text: 'delete from keyfare.replica where id = $1', values: [replicaId] });
      await sweeper.meter.sweep(tx);
    });
  }

  #call(id: string, hold: KeyHold, units: bigint) {
    return {
      id,
      accountId: this.accountId,
      keyId: 'key',
      sku: 'ping',
      units,
      periodStart,
      occurredAt: at,
      writer: hold.writer,
      kid: 'kid',
      jws: 'jws',
      payload: Buffer.from('{}'),
      signature: randomBytes(64),
      digest: randomBytes(32),
      issuedAt: at,
    };
  }

  async #counters() {
    const [row] = await rows<{ used: string; leased: string; open_leases: number }>(
      this.url,
      'select used, leased, open_leases from keyfare.meter_feed where account_id = $1',
      [this.accountId],
    );
    return row;
  }
}

async function register(url: string, id: string): Promise<void> {
  await rows(url, `insert into keyfare.replica values ($1, now(), now() + interval '1 hour')`, [id]);
}
