import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { GroupCommit } from './group-commit.js';
import { DatabaseUnavailable } from './sql.js';

type Fault = 'lost-before' | 'lost-after' | 'unsent' | 'deadlock' | 'full' | 'elsewhere' | 'ok';

const turn = (): Promise<unknown> => new Promise((next) => setImmediate(next));

/** A database that answers as it is told, and remembers what it committed. */
class Script {
  readonly committed: number[] = [];
  readonly groups: number[][] = [];
  #faults: Fault[];

  constructor(faults: readonly Fault[] = []) {
    this.#faults = [...faults];
  }

  write = async (items: readonly number[]): Promise<readonly string[]> => {
    await Promise.resolve();
    this.groups.push([...items]);
    if (items.includes(-1)) throw Object.assign(new Error('bad item'), { code: '23514' });
    const fault = this.#faults.shift() ?? 'ok';
    if (fault === 'deadlock') throw Object.assign(new Error('deadlock'), { code: '40P01' });
    if (fault === 'full') throw Object.assign(new Error('disk full'), { code: '53100' });
    if (fault === 'elsewhere') throw new Error('the chain is away');
    if (fault === 'unsent') throw new DatabaseUnavailable(new Error('refused'), { inDoubt: false });
    if (fault === 'lost-before') throw new DatabaseUnavailable(new Error('lost'), { inDoubt: true });
    // Idempotent, as a writer must be: what is there already is not written again.
    this.committed.push(...items.filter((item) => !this.committed.includes(item)));
    if (fault === 'lost-after') throw new DatabaseUnavailable(new Error('lost'), { inDoubt: true });
    return items.map((item) => `done ${item}`);
  };
}

describe('a group commit', () => {
  it('writes what arrives together with one transaction, and what arrives meanwhile with the next', async () => {
    const script = new Script();
    const group = new GroupCommit({ write: script.write });
    const first = [1, 2, 3].map((item) => group.commit(item));
    while (script.groups.length === 0) await turn();
    const second = [4, 5].map((item) => group.commit(item));
    expect(await Promise.all([...first, ...second])).toEqual(['done 1', 'done 2', 'done 3', 'done 4', 'done 5']);
    expect(script.groups).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });

  it('writes no more at once than it may', async () => {
    const script = new Script();
    const group = new GroupCommit({ write: script.write, maxItems: 2 });
    await Promise.all([1, 2, 3, 4, 5].map((item) => group.commit(item)));
    expect(script.groups).toEqual([[1, 2], [3, 4], [5]]);
  });

  it('refuses with 503 and Retry-After what finds the queue full, and takes more once it is written', async () => {
    const script = new Script();
    const group = new GroupCommit({ write: script.write, maxWaiting: 2 });
    const results = await Promise.allSettled([1, 2, 3].map((item) => group.commit(item)));
    expect(results[2]).toMatchObject({
      reason: { code: 'service/overloaded', status: 503, headers: { 'retry-after': '1' } },
    });
    expect(script.committed).toEqual([1, 2]);
    await expect(group.commit(4)).resolves.toBe('done 4');
  });

  it('refuses the one item that the database refuses, and no other', async () => {
    const script = new Script();
    const group = new GroupCommit({ write: script.write });
    const results = await Promise.allSettled([1, 2, -1, 4, 5].map((item) => group.commit(item)));
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(script.committed.toSorted((a, b) => a - b)).toEqual([1, 2, 4, 5]);
  });

  it('asks once, not item by item, when what failed is not the database’s verdict on an item', async () => {
    for (const [fault, message] of [
      ['elsewhere', 'the chain is away'],
      ['full', 'disk full'],
    ] as const) {
      const script = new Script([fault]);
      const group = new GroupCommit({ write: script.write });
      const results = await Promise.allSettled([1, 2, 3, 4].map((item) => group.commit(item)));
      expect(results.map((result) => (result.status === 'rejected' ? String(result.reason) : ''))).toEqual(
        [1, 2, 3, 4].map(() => `Error: ${message}`),
      );
      expect(script.groups).toHaveLength(1);
    }
  });

  it('never calls unsent what may have been committed, whatever a later attempt says', async () => {
    for (const later of ['unsent', 'full', 'elsewhere'] as const) {
      const script = new Script(['lost-after', later]);
      const group = new GroupCommit({ write: script.write });
      await expect(group.commit(1)).resolves.toBe('done 1');
    }
  });

  it('ends within its grace when it is closed in doubt and the database stays away, and says that it is in doubt', async () => {
    const script = new Script(Array.from({ length: 100 }, () => 'lost-before' as const));
    const group = new GroupCommit({ write: script.write });
    const doubtful = group.commit(1).catch((error: unknown) => error);
    while (!group.inDoubt) await turn();
    await group.close(50);
    expect(await doubtful).toMatchObject({ name: 'DatabaseUnavailable', inDoubt: true });
  });

  it('refuses at once what was never sent', async () => {
    const script = new Script(['unsent']);
    const group = new GroupCommit({ write: script.write });
    await expect(group.commit(1)).rejects.toMatchObject({ code: 'service/database-unavailable' });
    await expect(group.commit(2)).resolves.toBe('done 2');
    expect(script.committed).toEqual([2]);
  });

  it('answers what was in doubt only when it is known, and refuses meanwhile what was not sent', async () => {
    for (const fault of ['lost-before', 'lost-after'] as const) {
      const script = new Script([fault, 'lost-before']);
      const group = new GroupCommit({ write: script.write });
      const doubtful = group.commit(1);
      while (!group.inDoubt) await turn();
      await expect(group.commit(2)).rejects.toMatchObject({ code: 'service/database-unavailable' });
      await expect(doubtful).resolves.toBe('done 1');
      expect(script.committed).toEqual([1]);
      expect(group.inDoubt).toBe(false);
    }
  });

  it('refuses in doubt at once where the caller can undo', async () => {
    const script = new Script(['lost-after']);
    const group = new GroupCommit({ write: script.write, waitsInDoubt: false });
    await expect(group.commit(1)).rejects.toMatchObject({ code: 'service/database-unavailable' });
  });

  it('finishes what it has when it closes, and takes nothing more', async () => {
    const script = new Script(['deadlock']);
    const group = new GroupCommit({ write: script.write });
    const pending = group.commit(1);
    const closed = group.close();
    await expect(group.commit(2)).rejects.toMatchObject({ code: 'service/shutting-down' });
    await closed;
    await expect(pending).resolves.toBe('done 1');
  });

  it('commits exactly what it answered, whatever goes wrong on the way', async () => {
    const faults = fc.array(fc.constantFrom('lost-before', 'lost-after', 'unsent', 'deadlock', 'ok'), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(faults, fc.integer({ min: 1, max: 20 }), async (sequence, count) => {
        const script = new Script(sequence);
        const group = new GroupCommit({ write: script.write, maxItems: 7 });
        const items = Array.from({ length: count }, (_, index) => index);
        const results = await Promise.allSettled(items.map((item) => group.commit(item)));
        const answered = items.filter((item) => results[item]?.status === 'fulfilled');
        expect(script.committed.toSorted((a, b) => a - b)).toEqual(answered);
      }),
      { numRuns: 40 },
    );
  });
});
