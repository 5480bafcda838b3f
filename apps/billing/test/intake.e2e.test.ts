import { randomUUID } from 'node:crypto';
import type { Sql } from '@keyfare/db/sql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import type { LogFeed } from '../src/intake/feed.js';
import type { Rated } from '../src/rating/rate-entries.js';
import { RatingService } from '../src/rating/rating.service.js';
import { makeSigner, sha256 } from './log-documents.js';
import { type Books, type BooksOptions, balances, bookContent, openBooks, openWorld, type World } from './world.js';

const payer = `0x${'b'.repeat(40)}`;
const payTo = `0x${'a'.repeat(40)}`;
let world: World;
const open: Books[] = [];

beforeEach(async () => {
  world = await openWorld({ PAY_TO: payTo });
}, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (each) => each.close()));
  await world.close();
});

function books(options: BooksOptions = {}): Books {
  const opened = openBooks(world, options);
  open.push(opened);
  return opened;
}

async function faults(): Promise<readonly (string | null)[]> {
  const rows = await world.rows<{ fault: string | null }>('select fault from billing.entry order by place');
  return rows.map(({ fault }) => fault);
}

/** A feed in pieces of this size, so that a few entries make many batches. */
const inPieces =
  (size: number) =>
  (feed: LogFeed): LogFeed =>
  async (after, limit) => {
    const batch = await feed(after, limit);
    return { ...batch, rows: batch.rows.slice(0, size) };
  };

describe('the intake', () => {
  it('copies every entry, rates it, and posts what it earned', async () => {
    const { log } = world;
    await log.terms('acct_1', { includedUnits: '5' });
    await log.keyCall('acct_1', { units: 3 });
    await log.keyCall('acct_1', { units: 4, sku: 'distances' });
    await log.paidCall({ payer, payTo, amount: 1_500n });
    await log.unpaidCall({ payer, payTo, amount: 700n });
    await books().readAll();
    expect(await faults()).toEqual([null, null, null, null, null]);
    expect(
      await world.rows('select rail, included, overage, asset, amount from billing.charge order by place'),
    ).toEqual([
      { rail: 'key', included: '3', overage: '0', asset: 'USD', amount: '0' },
      { rail: 'key', included: '2', overage: '2', asset: 'USD', amount: '500' },
      { rail: 'x402', included: '0', overage: '0', asset: 'USDC', amount: '1500' },
    ]);
    expect(await balances(world)).toEqual({
      'revenue:key:distances': '-500',
      'revenue:x402:forecast': '-1500',
      'unbilled-receivable:acct_1': '500',
      'x402-receivable:eip155:84532': '1500',
    });
    expect(await world.rows('select outcome, amount from billing.payment order by place')).toEqual([
      { outcome: 'settled', amount: '1500' },
      { outcome: 'unpaid', amount: '700' },
    ]);
  });

  it('keeps a bad entry with its fault, out of the books, and goes on', async () => {
    const { log } = world;
    await log.terms('acct_1');
    await log.keyCall('acct_1', {}, (written) => {
      written.jws = null;
    });
    await log.keyCall('acct_1', {}, (written) => {
      written.digest = sha256('another');
    });
    await log.keyCall('acct_1', {}, (written) => {
      written.usage = written.usage && { ...written.usage, units: 9 };
    });
    await log.keyCall('acct_1', {}, (written) => {
      const jws = written.jws ?? '';
      const forged = `${jws.slice(0, -4)}${jws.endsWith('AAAA') ? 'BAAA' : 'AAAA'}`;
      Object.assign(written, { jws: forged, digest: sha256(forged) });
    });
    await log.keyCall('acct_1', {}, (written) => {
      written.usage = null;
    });
    await log.keyCall('acct_unknown');
    const good = await log.keyCall('acct_1');
    await books().readAll();
    expect(await faults()).toEqual([
      null,
      'receipt-missing',
      'digest-mismatch',
      'usage-mismatch',
      'receipt-invalid',
      'usage-mismatch',
      'terms-missing',
      null,
    ]);
    expect(await world.rows('select entry_id from billing.charge')).toEqual([{ entry_id: good }]);
  });

  it('books an id once: a second entry under it is kept as a bad one', async () => {
    await world.log.terms('acct_1', { includedUnits: '0' });
    const id = await world.log.keyCall('acct_1', { units: 2 });
    await books().readAll();
    const before = await balances(world);
    // The sequencer gives an entry one place; whoever writes past it can give it a second.
    await world.rows('insert into keyfare.unplaced (ids) values (array[$1::uuid])', [id]);
    await books().readAll();
    expect(await faults()).toEqual([null, null, 'receipt-invalid']);
    expect(await balances(world)).toEqual(before);
  });

  it('changes nothing when it is run again', async () => {
    await world.log.terms('acct_1', { includedUnits: '1' });
    for (let call = 0; call < 5; call += 1) await world.log.keyCall('acct_1');
    const reader = books();
    await reader.readAll();
    const content = await bookContent(world);
    for (let again = 0; again < 3; again += 1) expect(await reader.intakeJob.step()).toBe('idle');
    await books().readAll();
    expect(await bookContent(world)).toEqual(content);
  });

  it('makes the same books of the same log, however it is cut into batches', async () => {
    const { log } = world;
    await log.terms('acct_1', { includedUnits: '4' });
    await log.terms('acct_2', { includedUnits: '0' });
    for (let call = 0; call < 12; call += 1) {
      await log.keyCall(call % 3 === 0 ? 'acct_2' : 'acct_1', { units: 1 + (call % 2) });
      if (call === 6) await log.terms('acct_1', { includedUnits: '8', overagePrice: '900', planVersion: 2 });
      if (call % 4 === 0) await log.paidCall({ payer, payTo });
    }
    await books({ feed: inPieces(1) }).readAll();
    const oneByOne = await bookContent(world);
    await forgetEverything();
    await books().readAll();
    const atOnce = await bookContent(world);
    expect(atOnce).toEqual(oneByOne);
    expect((atOnce['charges'] as unknown[]).length).toBe(15);
  });

  it('that dies in the middle of a batch has done none of it, and the next process does all of it', async () => {
    await world.log.terms('acct_1', { includedUnits: '2' });
    for (let call = 0; call < 6; call += 1) await world.log.keyCall('acct_1');
    await world.log.paidCall({ payer, payTo });
    await books().readAll();
    const expected = await bookContent(world);
    await forgetEverything();
    class DiesAfterStoring extends RatingService {
      deaths = 0;
      override async store(tx: Sql, rated: Rated): Promise<void> {
        await super.store(tx, rated);
        this.deaths += 1;
        if (this.deaths % 2 === 1) throw new Error('the process dies here');
      }
    }
    const mortal = books({ rating: new DiesAfterStoring(), feed: inPieces(2) });
    await expect(mortal.intakeJob.step()).rejects.toThrow('dies here');
    expect(await bookContent(world)).toMatchObject({ charges: [], entries: [], postings: [], totals: [], book: [] });
    await mortal.intakeJob.step();
    await expect(mortal.intakeJob.step()).rejects.toThrow('dies here');
    expect((await bookContent(world))['entries']).toHaveLength(2);
    await books().readAll();
    expect(await bookContent(world)).toEqual(expected);
  });

  it('is done by one process at a time: three at once book each entry once', async () => {
    await world.log.terms('acct_1', { includedUnits: '3' });
    for (let call = 0; call < 30; call += 1) await world.log.keyCall('acct_1');
    const processes = [1, 2, 3].map(() => books({ feed: inPieces(2) }));
    await Promise.all(processes.map(async (each) => each.readAll()));
    expect(
      await world.rows(
        'select count(*)::int as n, sum(units)::int as units, sum(overage)::int as overage from billing.charge',
      ),
    ).toEqual([{ n: 30, units: 30, overage: 27 }]);
    expect(await world.rows('select units from billing.period_total')).toEqual([{ units: '30' }]);
    expect((await balances(world))['unbilled-receivable:acct_1']).toBe(String(27 * 250));
  }, 30_000);

  it('misses no entry that commits late, though one that was written after it was read before', async () => {
    const { log } = world;
    await log.terms('acct_1');
    const reader = books();
    const late = await log.uncommitted('acct_1');
    const early = await log.keyCall('acct_1');
    await reader.readAll();
    expect(await world.rows(`select id from billing.entry where kind = 'call'`)).toEqual([{ id: early }]);
    await late.commit();
    await reader.readAll();
    expect(await world.rows(`select id from billing.entry where kind = 'call' order by place`)).toEqual([
      { id: early },
      { id: late.id },
    ]);
    expect(await faults()).toEqual([null, null, null]);
  });

  it('is not delayed by a transaction that is left open on the same server', async () => {
    const { log } = world;
    await log.terms('acct_1');
    const reader = books();
    await log.transaction(async (tx) => {
      await tx.query({ text: 'select pg_current_xact_id()' });
      const id = await log.keyCall('acct_1');
      await reader.readAll();
      expect(await world.rows('select entry_id from billing.charge')).toEqual([{ entry_id: id }]);
    });
  });

  it.each([{ occurredAt: 'infinity' as const }, { occurredAt: new Date('+012026-11-20T00:00:00Z') }])(
    'refuses and keeps an entry whose usage is of no time that can be told (%j), and goes on',
    async ({ occurredAt }) => {
      const { log } = world;
      await log.terms('acct_1');
      await log.keyCall('acct_1', {}, (written) => {
        written.usage = written.usage && { ...written.usage, occurredAt };
      });
      const good = await log.keyCall('acct_1');
      await books().readAll();
      expect(await faults()).toEqual([null, 'usage-mismatch', null]);
      expect(await world.rows('select entry_id from billing.charge')).toEqual([{ entry_id: good }]);
    },
  );

  it('keeps every row that the log can hold, good or bad, and reads on to the good one behind it', async () => {
    const { log } = world;
    await log.terms('acct_1');
    const goods: string[] = [];
    const reader = books();
    const text = fc.oneof(
      fc.string({ unit: 'binary' }).map((value) => Buffer.from(value.replaceAll('\u0000', '')).toString()),
      fc.constantFrom('', 'call', 'terms', 'x402', 'key', 'free', '\u{1f600}'.repeat(300), 'a'.repeat(100_000)),
    );
    const time = fc.constantFrom(
      "'infinity'",
      "'-infinity'",
      "'4713-01-01 BC'",
      "'294276-12-31'",
      "'0001-01-01'",
      "'9999-12-31 23:59:59.999999'",
    );
    const row = fc.record({
      kind: text,
      principal: text,
      rail: fc.option(text),
      account_id: fc.option(text),
      sku: fc.option(text),
      units: fc.option(fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String)),
      kid: text,
      payload: fc.option(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(100_000)))),
      times: fc.tuple(time, time, time),
    });
    await fc.assert(
      fc.asyncProperty(row, async ({ payload, times: [recorded, period, occurred], ...values }) => {
        const id = randomUUID();
        const { kind, principal, rail, account_id, sku, units, kid } = values;
        await world.rows(
          `with added as (
            insert into keyfare.entry (id, kind, principal, rail, account_id, sku, units, kid, payload, signature, digest,
              recorded_at, period_start, occurred_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, decode(repeat('00', 64), 'hex'), decode(repeat('00', 32), 'hex'),
              ${recorded}, ${period}, ${occurred}) returning id)
          insert into keyfare.unplaced (ids) select array[id] from added`,
          [id, kind, principal, rail, account_id, sku, units, kid, payload === null ? null : Buffer.from(payload)],
        );
        goods.push(await log.keyCall('acct_1'));
        await reader.readAll();
        expect(await world.rows('select fault is not null as bad from billing.entry where id = $1', [id])).toEqual([
          { bad: true },
        ]);
      }),
      { numRuns: 30 },
    );
    expect(await world.rows('select entry_id from billing.charge order by place')).toEqual(
      goods.map((entry_id) => ({ entry_id })),
    );
  }, 60_000);

  it('keeps a row that the tables refuse as a bad one, and books all others of its batch', async () => {
    const { log } = world;
    await log.terms('acct_1', { includedUnits: '0' });
    await world.rows(`alter table billing.charge add constraint charge_test check (sku <> 'impossible')`);
    const ids: string[] = [];
    for (const sku of ['a', 'b', 'impossible', 'c', 'd', 'impossible', 'e']) {
      ids.push(await log.keyCall('acct_1', { sku }));
    }
    await books().readAll();
    expect(await faults()).toEqual([null, null, null, 'receipt-invalid', null, null, 'receipt-invalid', null]);
    expect(await world.rows('select entry_id from billing.charge order by place')).toEqual(
      ids.filter((_, index) => index !== 2 && index !== 5).map((entry_id) => ({ entry_id })),
    );
    expect(await world.rows('select units from billing.period_total')).toEqual([{ units: '5' }]);
  });

  /** As the owner who forgets that it may not: so that one log can be read twice. */
  async function forgetEverything(): Promise<void> {
    const ledger = 'balance, balance_day, wallet_day, charge_day, movement, journal, ledger_account';
    const tables = `entry, readmission, payment, feed_cursor, terms, charge, period_total, ${ledger}`
      .split(', ')
      .map((table) => `billing.${table}`)
      .join(', ');
    await world.sql.transaction(async (tx) => {
      await tx.query({ text: `set local session_replication_role = replica` });
      await tx.query({ text: `truncate ${tables}` });
    });
  }
});

describe('the keys of the API', () => {
  it('are read when a new one appears, and the entry waits for them: it is not given up', async () => {
    const { log, keys } = world;
    await log.terms('acct_1');
    const reader = books();
    await reader.readAll();
    const rotated = makeSigner();
    log.signer = rotated.signer;
    await log.keyCall('acct_1');
    const asked = keys.requests;
    world.clock.advance(10_000);
    const progress = async (): Promise<string> => reader.intakeJob.step();
    await untilWaiting(progress);
    expect(await faults()).toEqual([null]);
    log.keys.push(rotated.jwk);
    expect(await progress()).toBe('waiting');
    expect(keys.requests - asked).toBeLessThanOrEqual(2);
    world.clock.advance(10_000);
    await reader.readAll();
    expect(await faults()).toEqual([null, null]);
  });

  it('that lack one for good make a break of its entry, and what comes after it is booked', async () => {
    const { log, clock } = world;
    await log.terms('acct_1');
    log.signer = makeSigner().signer;
    await log.keyCall('acct_1');
    log.signer = (await goodSigner()).signer;
    await log.keyCall('acct_1');
    const reader = books();
    await untilWaiting(async () => reader.intakeJob.step());
    clock.advance(121_000);
    await reader.readAll();
    expect(await faults()).toEqual([null, 'receipt-invalid', null]);
  });

  it('are kept: receipts are checked while the API is down, by a process that never saw it', async () => {
    const { log, keys } = world;
    await log.terms('acct_1');
    await books().readAll();
    await log.keyCall('acct_1');
    await books({ env: { API_JWKS_URL: 'http://127.0.0.1:9/' } }).readAll();
    expect(await faults()).toEqual([null, null]);
    expect(keys.requests).toBe(1);
  });

  it('do not change under their name: a key set that shows another key for it convinces nobody', async () => {
    const { log } = world;
    await log.terms('acct_1');
    await books().readAll();
    const thief = makeSigner();
    const [real] = log.keys;
    if (real === undefined) throw new Error('no key');
    log.keys.splice(0, 1, { ...thief.jwk, kid: real.kid });
    log.signer = { ...thief.signer, kid: real.kid };
    await log.keyCall('acct_1');
    world.clock.advance(600_000);
    await books().readAll();
    expect(await faults()).toEqual([null, 'receipt-invalid']);
  });

  async function goodSigner(): Promise<ReturnType<typeof makeSigner>> {
    const made = makeSigner();
    world.log.keys.push(made.jwk);
    return made;
  }

  /** Steps until the intake waits for a key: the feed may hold entries back for a moment. */
  async function untilWaiting(step: () => Promise<string>): Promise<void> {
    const deadline = Date.now() + 100_000;
    while ((await step()) !== 'waiting') if (Date.now() > deadline) throw new Error('it does not wait');
  }
});

describe('a long log', () => {
  let big: World;
  let reader: Books;

  beforeAll(async () => {
    big = await openWorld({ PAY_TO: payTo });
    reader = openBooks(big);
  }, 60_000);
  afterAll(async () => {
    await reader.close();
    await big.close();
  });

  it('is read in batches of bounded size, and comes out whole', async () => {
    const calls = 3_000;
    await big.log.terms('acct_1', { includedUnits: '1000' });
    await big.log.keyCalls('acct_1', calls);
    await reader.readAll();
    expect(await big.rows('select count(*)::int as n, sum(overage)::int as overage from billing.charge')).toEqual([
      { n: calls, overage: calls - 1_000 },
    ]);
    expect(await big.rows('select count(*)::int as n from billing.journal')).toEqual([{ n: calls - 1_000 }]);
    expect(await big.rows(`select fault from billing.entry where fault is not null`)).toEqual([]);
  }, 60_000);
});
