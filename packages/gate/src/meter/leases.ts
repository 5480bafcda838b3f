import { asProblem, DatabaseUnavailable, type SqlPool } from '@keyfare/db/sql';
import type { Bucket } from './bucket.js';
import { leaseUnits, returnUnits } from './lease.sql.js';

/** Over this a block gains nothing: one statement in a thousand calls is no cost. */
const largestBlock = 1_024n;
const exhaustedForMs = 1_000;
const contendedForMs = 200;
const recallPausesMs = [40, 120];

/** What goes to and fro between a bucket and the database. For one bucket it is one statement at a time. */
export class Leases {
  constructor(
    private readonly sql: SqlPool,
    private readonly replicaId: string,
  ) {}

  /** Sees to it that those in line get units or a refusal. */
  serve(bucket: Bucket): void {
    bucket.asking ??= this.#ask(bucket);
  }

  /** Returns all of the lease that no call holds, unless units are just being asked for. */
  async giveBack(bucket: Bucket): Promise<void> {
    if (bucket.returning !== undefined) return bucket.returning;
    if (!bucket.leased || bucket.asking !== undefined) return;
    const idle = bucket.drain();
    if (idle === 0n && bucket.held > 0n && !bucket.doubtful) return;
    bucket.returning = this.#returnAllBut(bucket, { idle, held: bucket.held }).finally(() => {
      bucket.returning = undefined;
    });
    await bucket.returning;
  }

  /** Leases until the line is served. When only others hold units, they are asked to give back before anyone is denied. */
  async #ask(bucket: Bucket): Promise<void> {
    try {
      // A return that is under way would take back what is leased now.
      await bucket.returning;
      for (let recalls = 0; bucket.wanted > 0n; ) {
        const { units, othersHold } = await this.#lease(bucket, bucket.wanted);
        bucket.add(units);
        bucket.denyExhausted();
        bucket.unusedUntilMs = performance.now() + exhaustedForMs;
        if (units > 0n || bucket.wanted === 0n) continue;
        const pauseMs = othersHold ? recallPausesMs[recalls] : undefined;
        if (pauseMs === undefined) {
          this.#deny(bucket);
          return;
        }
        recalls += 1;
        await this.sql.query({ text: `select pg_notify('keyfare_recall', $1)`, values: [bucket.accountId] });
        await new Promise((wake) => setTimeout(wake, pauseMs));
      }
    } catch (error) {
      bucket.doubtful = true;
      bucket.fail(asProblem(error));
    } finally {
      // In the same turn as the last look at the line: whoever comes to it later begins a new request.
      bucket.asking = undefined;
    }
  }

  /** Units that others hold may come back soon, so that refusal is remembered for a short time only. */
  #deny(bucket: Bucket): void {
    bucket.deniedUntilMs = performance.now() + contendedForMs;
    bucket.deny();
  }

  async #lease(bucket: Bucket, wanted: bigint): Promise<{ units: bigint; othersHold: boolean }> {
    bucket.leased = true;
    const [row] = await this.sql.query<{ units: string; unused: string; others_hold: boolean }>({
      name: 'keyfare_lease_units',
      text: leaseUnits,
      values: [this.replicaId, bucket.accountId, bucket.periodStart, wanted.toString(), largestBlock.toString()],
    });
    bucket.unused = BigInt(row?.unused ?? 0);
    return { units: BigInt(row?.units ?? 0), othersHold: row?.others_hold ?? false };
  }

  async #returnAllBut(bucket: Bucket, { idle, held }: { idle: bigint; held: bigint }): Promise<void> {
    const values = [this.replicaId, bucket.accountId, bucket.periodStart, held.toString()];
    try {
      await this.sql.query({ name: 'keyfare_return_units', text: returnUnits, values });
      bucket.doubtful = false;
      bucket.loose = held > 0n;
      if (held === 0n) bucket.leased = false;
    } catch (error) {
      // They stay here, to be used or given back later. Where it is unknown whether they went, the next return knows.
      if (error instanceof DatabaseUnavailable && error.inDoubt) bucket.doubtful = true;
      else bucket.add(idle);
    }
  }
}
