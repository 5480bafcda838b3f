import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { makeOperator, type Service, startService } from './service.js';
import { balances, openWorld, type World } from './world.js';

let world: World;
let service: Service;

beforeAll(async () => {
  world = await openWorld();
  world.clock.set('2026-12-01T00:00:00Z');
  service = await startService(world);
}, 60_000);
afterAll(async () => {
  await service.close();
  await world.close();
});

const mapping = {
  decimal: 'point',
  dateFormat: 'YYYY-MM-DD',
  bookedOn: 'day',
  amount: 'sum',
  payer: 'payer',
  reference: ['text'],
};

async function makeAccount(): Promise<string> {
  const { status, body } = await service.call('/bank-accounts', {
    body: { name: 'Checking', currency: 'USD', mapping },
  });
  expect(status).toBe(201);
  return (body as { id: string }).id;
}

async function send(account: string, lines: readonly string[], query = '') {
  const content = Buffer.from(['day,sum,payer,text', ...lines, ''].join('\n')).toString('base64');
  return await service.call(`/bank-statements?bankAccount=${account}${query}`, { body: { content } });
}

async function code(path: string, init: Parameters<Service['call']>[1]): Promise<readonly [number, string]> {
  const { status, body } = await service.call(path, init);
  return [status, (body as { code: string }).code];
}

async function stored(account: string): Promise<readonly string[]> {
  const rows = await world.rows<{ line: string }>(
    `select concat_ws(',', booked_on, div(amount, 10000), payer, reference) as line from billing.bank_payment
      where bank_account_id = $1`,
    [account],
  );
  return rows.map(({ line }) => line).toSorted();
}

describe('a bank account', () => {
  it('remembers its mapping, changes by the version that was read, and has an IBAN of its own', async () => {
    const iban = 'DE89370400440532013000';
    const made = await service.call('/bank-accounts', { body: { name: 'Main', iban, currency: 'USD', mapping } });
    expect(made).toMatchObject({ status: 201, body: { name: 'Main', iban, mapping: { ...mapping, separator: null } } });
    const { id } = made.body as { id: string };
    const read = await service.call(`/bank-accounts/${id}`);
    const body = { mapping: { ...mapping, separator: 'tab' } };
    expect(await code(`/bank-accounts/${id}`, { method: 'PATCH', body })).toEqual([
      428,
      'request/precondition-required',
    ]);
    const headers = { 'if-match': read.headers.get('etag') ?? '' };
    const changed = await service.call(`/bank-accounts/${id}`, { method: 'PATCH', body, headers });
    expect(changed).toMatchObject({ status: 200, body: { name: 'Main', mapping: { separator: 'tab' } } });
    expect(await code(`/bank-accounts/${id}`, { method: 'PATCH', body, headers })).toEqual([
      412,
      'request/precondition-failed',
    ]);
    const again = { name: 'Other', iban, currency: 'USD', mapping };
    expect(await code('/bank-accounts', { body: again })).toEqual([409, 'bank-account/conflict']);
  });

  it('is in dollars, has an amount in one or two columns, and is made by whom money is trusted to', async () => {
    const body = { name: 'Euro', currency: 'EUR', mapping };
    expect(await code('/bank-accounts', { body })).toEqual([422, 'bank-account/unsupported-currency']);
    const both = { ...mapping, credit: 'in', debit: 'out' };
    expect(await code('/bank-accounts', { body: { ...body, mapping: both } })).toEqual([400, 'request/invalid']);
    const token = await makeOperator(world, ['read', 'write']);
    expect(await code('/bank-accounts', { body: { ...body, currency: 'USD' }, token })).toEqual([
      403,
      'operator/forbidden',
    ]);
  });
});

describe('a bank statement', () => {
  it('is looked at first, stored once, and posted from what nobody has said yet', async () => {
    const account = await makeAccount();
    const lines = ['2026-11-02,100.00,Ann,KF-1', '2026-11-03,-2.50,Bank,fee', '2026-11-03,0.00,Bank,note'];
    const preview = await send(account, lines, '&preview=true');
    expect(preview).toMatchObject({
      status: 200,
      body: { preview: true, lines: 3, known: 0, added: 3, total: '97.500000' },
    });
    expect(await stored(account)).toEqual([]);
    expect(await send(account, lines)).toMatchObject({
      status: 200,
      body: { preview: false, added: 3, encoding: 'utf-8' },
    });
    expect(await send(account, lines)).toMatchObject({
      status: 200,
      body: { lines: 3, known: 3, added: 0, items: [] },
    });
    expect((await balances(world))[`bank:${account}`]).toBe('97500000');
    const open = await service.call(`/bank-payments?state=open&bankAccount=${account}`);
    expect(open.body).toMatchObject({
      items: [
        {
          bookedOn: '2026-11-02',
          amount: '100.000000',
          payer: 'Ann',
          reference: 'KF-1',
          matched: '0.000000',
          state: 'open',
        },
      ],
      next: null,
    });
    const out = await service.call(`/bank-payments?state=out&bankAccount=${account}`);
    expect((out.body as { items: readonly unknown[] }).items).toHaveLength(2);
    expect((await service.call(`/audit?subject=${account}`)).body).toMatchObject({
      items: [{ action: 'bank-statement.import' }, { action: 'bank-statement.import', after: { added: 3 } }, {}],
    });
  });

  it('may be sent as the file itself, in any encoding', async () => {
    const account = await makeAccount();
    const body = Buffer.from('day\tsum\tpayer\ttext\n2026-11-02\t5\tJosé\tx\n', 'latin1');
    const url = `${service.url}/bank-statements?bankAccount=${account}`;
    const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'text/csv' };
    const answer = await fetch(url, { method: 'POST', headers, body });
    expect([answer.status, await answer.json()]).toMatchObject([200, { encoding: 'windows-1252', added: 1 }]);
    expect(await stored(account)).toEqual(['2026-11-02,500,José,x']);
    const large = await fetch(url, { method: 'POST', headers, body: Buffer.alloc(1_100_000, 'a') });
    expect(large.status).toBe(413);
  });

  it('with one bad line stores nothing, and says which line it is', async () => {
    const account = await makeAccount();
    const answer = await send(account, ['2026-11-02,1.00,Ann,a', '2026-11-31,1.00,Ann,b', '2026-11-02,1.005,Ann,c']);
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'bank-statement/malformed', faults: [{ line: 3 }, { line: 4 }] },
    });
    expect(await stored(account)).toEqual([]);
    const none = '00000000-0000-4000-8000-000000000000';
    expect((await send(none, [])).status).toBe(404);
    const bad = { body: { content: 'no base64!' } };
    expect(await code(`/bank-statements?bankAccount=${account}`, bad)).toEqual([400, 'request/invalid']);
  });

  it('that overlaps others, in any order and twice at once, stores each payment once', async () => {
    // A day is whole in each file that has it, as banks export them: its equal lines are as many in each.
    const line = fc.record({ day: fc.integer({ min: 1, max: 6 }), cents: fc.integer({ min: -3, max: 3 }) });
    const history = fc.array(line, { minLength: 1, maxLength: 12 });
    const spans = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })), {
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(history, spans, fc.infiniteStream(fc.nat()), async (payments, files, seeds) => {
        const account = await makeAccount();
        const lines = payments.map(({ day, cents }) => ({ day, text: `2026-11-0${day},${cents}.00,Ann,x` }));
        const covered = new Set<number>();
        const sent = files.map(([a, b]) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)];
          for (let day = from; day <= to; day += 1) covered.add(day);
          const within = lines.filter(({ day }) => day >= from && day <= to);
          return within
            .map((one) => ({ one, key: seeds.next().value as number }))
            .toSorted((left, right) => left.key - right.key)
            .map(({ one }) => one.text);
        });
        const [first = []] = sent;
        const both = await Promise.all([send(account, first), send(account, first)]);
        expect(both.map(({ status }) => status)).toEqual([200, 200]);
        for (const file of sent) expect((await send(account, file)).status).toBe(200);
        const expected = lines.filter(({ day }) => covered.has(day)).map(({ text }) => text.split(','));
        const found = (await stored(account)).map((text) => text.split(','));
        expect(found.map(([day, cents]) => `${day} ${Number(cents) / 100}`).toSorted()).toEqual(
          expected.map(([day, dollars]) => `${day} ${Number(dollars)}`).toSorted(),
        );
        const sum = expected.reduce((total, [, dollars]) => total + BigInt(Number(dollars)), 0n) * 1_000_000n;
        expect((await balances(world))[`bank:${account}`] ?? '0').toBe(sum.toString());
      }),
      { numRuns: 15 },
    );
  }, 60_000);
});

describe('the books with bank payments', () => {
  it('agree with what the statements say, and a posting that no statement explains is a break', async () => {
    const account = await makeAccount();
    await send(account, ['2026-11-05,7.00,Ann,z']);
    const run = async () => service.reconcile();
    await run();
    const breaks = async () =>
      await world.rows(`select class, subject from (select class, keys->>'source' as subject, status from billing.break) b
        where status = 'open' and subject like 'bank-payment:%'`);
    expect(await breaks()).toEqual([]);
    await world.rows(`alter table billing.bank_payment disable trigger bank_payment_append_only`);
    await world.rows(`update billing.bank_payment set amount = amount + 10000 where payer = 'Ann' and reference = 'z'`);
    await run();
    expect(await breaks()).toMatchObject([{ class: 'ledger-mismatch' }]);
  });
});
