import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { VersionedCache } from './versioned-cache.js';

interface Row {
  readonly version: bigint;
}

const record = (version: bigint): Row => ({ version });

/** A database that answers when it is told to. */
class SlowDatabase {
  reads = 0;
  #answers: ((record: Row | undefined) => void)[] = [];

  read = (): Promise<Row | undefined> => {
    this.reads += 1;
    return new Promise((resolve) => this.#answers.push(resolve));
  };

  answer(with_: Row | undefined): void {
    this.#answers.shift()?.(with_);
  }
}

describe('a cache of versioned rows', () => {
  const make = (nowMs = () => 0) => {
    const database = new SlowDatabase();
    const cache = new VersionedCache<Row>({ read: database.read, nowMs, maxAgeMs: 1_000, maxValues: 2 });
    return { database, cache };
  };

  it('remembers nothing while notifications do not arrive', async () => {
    const { database, cache } = make();
    const read = cache.read('k');
    database.answer(record(1n));
    expect((await read)?.version).toBe(1n);
    expect(cache.peek('k')).toBeUndefined();
  });

  it('remembers while they do, and asks once for all who ask at once', async () => {
    const { database, cache } = make();
    cache.setListening(true);
    const reads = [cache.read('k'), cache.read('k'), cache.read('k')];
    database.answer(record(1n));
    await Promise.all(reads);
    expect(database.reads).toBe(1);
    expect(cache.peek('k')?.version).toBe(1n);
  });

  it('forgets a row that changed, and everything when the listener is lost', async () => {
    const { database, cache } = make();
    cache.setListening(true);
    for (const forget of [() => cache.announce('k', 2n), () => cache.setListening(false)]) {
      const read = cache.read('k');
      database.answer(record(1n));
      await read;
      expect(cache.peek('k')).toBeDefined();
      forget();
      expect(cache.peek('k')).toBeUndefined();
    }
  });

  it('reads again when a change was announced while the old record was on its way', async () => {
    const { database, cache } = make();
    cache.setListening(true);
    const read = cache.read('k');
    cache.announce('k', 2n);
    database.answer(record(1n));
    await Promise.resolve();
    await Promise.resolve();
    database.answer(record(2n));
    expect((await read)?.version).toBe(2n);
    expect(cache.peek('k')?.version).toBe(2n);
  });

  it('does not remember what was read before the listener came up', async () => {
    const { database, cache } = make();
    const read = cache.read('k');
    cache.setListening(true);
    database.answer(record(1n));
    await read;
    expect(cache.peek('k')).toBeUndefined();
  });

  it('remembers no longer than its bound, no more than its bound, and no stranger', async () => {
    let nowMs = 0;
    const { database, cache } = make(() => nowMs);
    cache.setListening(true);
    for (const id of ['k', 'l', 'm']) {
      const read = cache.read(id);
      database.answer(record(1n));
      await read;
    }
    expect([cache.peek('k'), cache.peek('m')?.version]).toEqual([undefined, 1n]);
    nowMs = 1_001;
    expect(cache.peek('m')).toBeUndefined();
    const stranger = cache.read('x');
    database.answer(undefined);
    expect(await stranger).toBeUndefined();
    expect(cache.peek('x')).toBeUndefined();
  });
});
