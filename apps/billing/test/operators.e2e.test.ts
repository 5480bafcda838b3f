import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { makeOperator, type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

let world: World;
let service: Service;

beforeAll(async () => {
  world = await openWorld();
  world.clock.set('2026-11-10T00:00:00Z');
  service = await startService(world, { RECONCILE_WAIT_SECONDS: '2' });
  for (const account of ['acct_1', 'acct_2', 'acct_3']) await world.log.terms(account, { includedUnits: '0' });
  await world.log.keyCall('acct_1');
  await settled(async () => (await world.rows('select 1 from billing.entry')).length, 4);
}, 60_000);
afterAll(async () => {
  await service.close();
  await world.close();
});

interface AuditLine {
  readonly operator: { readonly id: string };
  readonly action: string;
  readonly subject: string;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown>;
  readonly requestId: string;
}

interface Listed<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

async function audit(query: string): Promise<readonly AuditLine[]> {
  return ((await service.call(`/audit?${query}`)).body as Listed<AuditLine>).items;
}

/** Every row of a list, page by page; `between` is called after the first. */
async function walk<Item>(path: string, between: () => Promise<void> = async () => undefined): Promise<Item[]> {
  const found: Item[] = [];
  const join = path.includes('?') ? '&' : '?';
  let cursor = '';
  for (let page = 0; page < 100; page += 1) {
    const { status, body } = await service.call(`${path}${join}limit=2${cursor}`);
    expect(status).toBe(200);
    const { items, next } = body as Listed<Item>;
    expect(items.length).toBeLessThanOrEqual(2);
    found.push(...items);
    if (next === null) return found;
    cursor = `&cursor=${encodeURIComponent(next)}`;
    if (page === 0) await between();
  }
  throw new Error('the list has no end');
}

/** Breaks that were all first seen at one moment. */
async function addBreaks(ids: readonly string[], firstSeen = '2026-11-01T00:00:00.123456Z'): Promise<void> {
  await world.rows(
    `insert into billing.break (id, class, keys, side, detail, status, history, first_seen, last_seen, present, run_id)
      select id, 'receipt-missing', '{}', 'receipt', 'one', 'open', '[]', $2, $2, false, gen_random_uuid()
      from unnest($1::text[]) as id`,
    [ids, firstSeen],
  );
}

describe('a change', () => {
  it('of a break asks for the version that was read, and is a line of the audit log: who, what, before, after', async () => {
    await addBreaks(['b-change']);
    const read = await service.call('/breaks/b-change');
    const tag = read.headers.get('etag') ?? '';
    const patch = async (headers: Record<string, string>, body: object = { owner: 'ann' }) =>
      service.call('/breaks/b-change', { method: 'PATCH', body, headers });
    expect(await patch({})).toMatchObject({ status: 428, body: { code: 'request/precondition-required' } });
    // A run that sees it again, and a day that passes, are no other version.
    await world.rows(`update billing.break set last_seen = now() where id = 'b-change'`);
    world.clock.advance(2 * 86_400_000);
    const changed = await patch({ 'if-match': tag });
    expect(changed).toMatchObject({ status: 200, body: { owner: 'ann' } });
    expect(changed.headers.get('etag')).not.toBe(tag);
    expect(changed.headers.get('cache-control')).toBe('no-store');
    expect((await service.call('/breaks/b-change')).headers.get('etag')).toBe(changed.headers.get('etag'));
    expect(await patch({ 'if-match': tag }, { owner: 'bob' })).toMatchObject({
      status: 412,
      body: { code: 'request/precondition-failed' },
    });
    const lines = await audit('subject=b-change');
    expect(lines).toMatchObject([
      { action: 'break.change', before: { owner: null, status: 'open' }, after: { owner: 'ann', status: 'open' } },
    ]);
    expect(lines[0]?.requestId).toBe(changed.headers.get('request-id'));
    expect(lines[0]?.operator.id).toBe(`op_${service.token.split('_', 2)[1] ?? ''}`);
  });

  it('that is refused leaves neither a change nor a line', async () => {
    await addBreaks(['b-refused']);
    for (const body of [
      { owner: 'ann\u0000' },
      { owner: ' ann' },
      { note: '\ud800' },
      { resolution: '' },
      { boss: 'x' },
    ]) {
      const answer = await service.call('/breaks/b-refused', { method: 'PATCH', body, headers: { 'if-match': '*' } });
      expect([body, answer.status]).toEqual([body, 400]);
    }
    expect((await service.call('/breaks/b-refused')).body).toMatchObject({ owner: null, note: null, status: 'open' });
    expect(await audit('subject=b-refused')).toEqual([]);
  });

  it('takes the scope that it asks for: to own and to note `write`, to resolve and to draft `money`', async () => {
    await addBreaks(['b-scopes']);
    const [reader, writer, teller] = await Promise.all(
      [['read'], ['read', 'write'], ['read', 'money']].map(async (scopes) => makeOperator(world, scopes)),
    );
    const patch = async (token: string | undefined, body: object): Promise<number> => {
      const headers = { 'if-match': '*' };
      return (await service.call('/breaks/b-scopes', { method: 'PATCH', token: token ?? null, body, headers })).status;
    };
    const post = async (token: string | undefined, path: string, body: object): Promise<number> =>
      (await service.call(path, { token: token ?? null, body })).status;
    const [note, resolution, both] = [{ note: 'n' }, { resolution: 'paid' }, { note: 'n', resolution: null }];
    for (const [token, expected] of [
      [reader, [403, 403, 403]],
      [writer, [200, 403, 403]],
      [teller, [403, 200, 403]],
      [service.token, [200, 200, 200]],
    ] as const) {
      expect([await patch(token, note), await patch(token, resolution), await patch(token, both)]).toEqual(expected);
    }
    const draft = { account: 'acct_1', month: '2026-11' };
    expect(await post(writer, '/invoices', draft)).toBe(403);
    expect(await post(teller, '/invoices', draft)).toBe(200);
    expect(await post(reader, '/reconciliations', {})).toBe(403);
    expect(await post(teller, '/reconciliations', {})).toBe(403);
    expect(await post(writer, '/reconciliations', {})).toBe(202);
  });

  it('with an Idempotency-Key is made once: the same request gets the same answer, another is refused', async () => {
    const draft = async (key: string, account: string) =>
      service.call('/invoices', {
        body: { account, month: '2026-11' },
        headers: { 'idempotency-key': key },
      });
    const answers = await Promise.all([1, 2, 3, 4].map(async () => draft('k-1', 'acct_2')));
    const [first] = answers;
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    for (const { body } of answers) expect(body).toEqual(first?.body);
    const { id } = (first?.body ?? {}) as unknown as { id: string };
    const lines = await audit(`subject=${id}`);
    expect(lines).toMatchObject([{ action: 'invoice.draft', before: null, after: { id } }]);
    await world.log.keyCall('acct_2');
    // A run that goes on since the test before may have read the log already.
    const charged = async (): Promise<number> =>
      (await world.rows(`select 1 from billing.charge where account = 'acct_2'`)).length;
    expect(await settled(charged, 1)).toBe(1);
    await service.reconcile();
    expect((await draft('k-1', 'acct_2')).body).toEqual(first?.body);
    expect((await draft('k-1', 'acct_3')).status).toBe(422);
    expect((await draft('k-2', 'acct_2')).body).toMatchObject({ id, receipts: '1' });
    expect(await audit(`subject=${id}`)).toMatchObject([{ before: { receipts: '0' }, after: { receipts: '1' } }, {}]);
  });
});

describe('a reconciliation', () => {
  it('takes an empty body, of the type that a client always sends', async () => {
    const answer = await service.call('/reconciliations', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    expect(answer).toMatchObject({ status: 202, body: { trigger: 'manual', scope: 'recent' } });
    await service.reconcile();
  });

  it('that eight ask for at once is one run, audited for each, and reports are answered meanwhile', async () => {
    const runs = async (): Promise<number> => (await world.rows('select 1 from billing.reconciliation')).length;
    const before = await runs();
    const answers = await world.sql.transaction(async (tx) => {
      // So the run that is begun now cannot write what it found, until everybody has asked.
      await tx.query({ text: 'lock table billing.break in share mode' });
      const asked = await Promise.all(
        [1, 2, 3, 4, 5, 6, 7, 8].map(async () => service.call('/reconciliations', { body: {} })),
      );
      for (const path of ['/reports/revenue', '/reports/trial-balance.csv', '/breaks', '/reconciliations/latest']) {
        expect([path, (await service.call(path)).status]).toEqual([path, 200]);
      }
      return asked;
    });
    const said = answers.map(({ status, body }) => [status, (body as { id: string }).id]);
    const [[, id = ''] = []] = said;
    expect(said).toEqual(Array.from({ length: 8 }, () => [202, id]));
    const state = async () => ((await service.call(`/reconciliations/${String(id)}`)).body as { state: string }).state;
    expect(await settled(state, 'done')).toBe('done');
    expect(await runs()).toBe(before + 1);
    const lines = await audit(`subject=${String(id)}`);
    expect(lines.map(({ action }) => action)).toEqual(Array.from({ length: 8 }, () => 'reconciliation.run'));
    expect(lines[0]?.after).toMatchObject({ id, trigger: 'manual' });
  }, 30_000);

  it('with an Idempotency-Key is run once', async () => {
    const run = async () =>
      service.call('/reconciliations', { method: 'POST', headers: { 'idempotency-key': 'night-1' } });
    const first = await run();
    expect(first.status).toBe(202);
    expect((await run()).body).toEqual(first.body);
    const { id } = first.body as { id: string };
    expect(await audit(`subject=${id}`)).toHaveLength(1);
    const latest = async () => ((await service.call('/reconciliations/latest')).body as { id: string }).id;
    expect(await settled(latest, id)).toBe(id);
  });
});

describe('a list', () => {
  it('comes in pages that miss and repeat nothing: rows of one moment, and rows that come meanwhile', async () => {
    const ids = Array.from({ length: 7 }, (_, index) => `tie-${index}`);
    await addBreaks(ids.toReversed(), '2026-10-01T00:00:00.123456Z');
    const walked = await walk<{ id: string }>('/breaks?class=receipt-missing', async () =>
      // One before all that were shown, and one after them.
      addBreaks(['early'], '2026-09-01T00:00:00Z').then(async () =>
        addBreaks(['tie-9'], '2026-10-01T00:00:00.123457Z'),
      ),
    );
    const seen = walked.map(({ id }) => id).filter((id) => id.startsWith('tie-') || id === 'early');
    expect(seen).toEqual([...ids, 'tie-9']);
    const again = await walk<{ id: string }>('/breaks?class=receipt-missing');
    expect(again.map(({ id }) => id).slice(0, 2)).toEqual(['early', 'tie-0']);
  });

  it('of invoices goes by month and account, of the audit log from the newest line', async () => {
    for (const account of ['acct_3', 'acct_1']) {
      await service.call('/invoices', { body: { account, month: '2026-11' } });
    }
    const invoices = await walk<{ month: string; account: string }>('/invoices');
    expect(invoices.map(({ month, account }) => `${month} ${account}`)).toEqual([
      '2026-11 acct_1',
      '2026-11 acct_2',
      '2026-11 acct_3',
    ]);
    const lines = await walk<{ id: string }>('/audit', async () => {
      await service.call('/invoices', { body: { account: 'acct_3', month: '2026-11' } });
    });
    const numbers = lines.map(({ id }) => Number(id));
    expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(await audit('action=invoice.draft&limit=200')).toHaveLength(
      (await world.rows(`select 1 from billing.audit where action = 'invoice.draft'`)).length,
    );
  });

  it('of a report has in its pages the rows that its CSV has, and takes the cursor of no other month', async () => {
    await world.rows(`insert into billing.payment (entry_id, outcome, network, asset, payer, nonce, pay_to, amount, sku,
        resource_url, reason, issued_at, place)
      select gen_random_uuid(), case when n % 2 = 0 then 'unpaid' else 'refund-due' end, 'n', 'a', 'p', n::text, 't', n, 'sku',
        'http://api.test/', 'why', '2025-02-01T00:00:00.000001Z'::timestamptz + n / 4 * interval '1 microsecond', n
      from generate_series(1, 11) n`);
    for (const name of ['unpaid', 'refunds', 'settlements', 'revenue', 'trial-balance']) {
      const month = name === 'revenue' || name === 'trial-balance' ? '2026-11' : '2025-02';
      const rows = await walk<Record<string, unknown>>(`/reports/${name}?month=${month}`);
      const { text } = await service.call(`/reports/${name}.csv?month=${month}&limit=1`);
      expect([name, rows.length]).toEqual([name, text.trimEnd().split('\r\n').length - 1]);
      expect(rows.length).toBeGreaterThan(1);
      expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(rows.length);
    }
    const { next } = (await service.call('/reports/unpaid?month=2025-02&limit=1')).body as Listed<unknown>;
    expect((await service.call(`/reports/unpaid?month=2025-03&limit=1&cursor=${next ?? ''}`)).status).toBe(400);
  });

  it('has no place before the first year: a cursor that was made up is refused', async () => {
    const forge = (...parts: readonly string[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url');
    const uuid = '00000000-0000-8000-8000-000000000001';
    for (const [path, cursor] of [
      ['/invoices', forge('invoices', '0000-01-01T00:00:00.000Z', 'a', uuid)],
      ['/invoices', forge('invoices', '2026-01-01T00:00:00.000Z', 'a', 'b')],
      ['/reports/unpaid?month=2025-02', forge('unpaid-2025-02', '1', '\u0000')],
      ['/reports/unpaid?month=2025-02', forge('unpaid-2025-02', '-1', 'x')],
      ['/audit', forge('audit', '99999999999999999999')],
    ]) {
      const join = path?.includes('?') === true ? '&' : '?';
      expect((await service.call(`${path ?? ''}${join}cursor=${cursor ?? ''}`)).status).toBe(400);
    }
  });
});

describe('the trial balance of a month', () => {
  it('is of its end: nothing was booked by the end of 2020, and its sides are equal', async () => {
    const of = async (query: string): Promise<readonly { debit: string; credit: string }[]> =>
      ((await service.call(`/reports/trial-balance${query}`)).body as Listed<{ debit: string; credit: string }>).items;
    expect((await of('?month=2020-01')).every(({ debit, credit }) => debit === credit)).toBe(true);
    const now = await of('?month=2026-11');
    expect(now).toEqual(await of(''));
    expect(now.some(({ debit }) => debit !== '0.000000')).toBe(true);
  });
});
