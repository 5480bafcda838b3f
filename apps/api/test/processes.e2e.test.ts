import { fundedPayer, paymentHeaderV2, signAuthorization, usdcRequirements } from '@keyfare/devstack/payers';
import { adminQuery } from '@keyfare/devstack/postgres';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, admin, type Ground, openAccount, openGround, startApi } from './api-process.js';

const route = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

describe('two API processes', () => {
  let ground: Ground;
  let apis: readonly [Api, Api];

  beforeAll(async () => {
    ground = await openGround();
    apis = await Promise.all([startApi(ground), startApi(ground)]);
  }, 30_000);
  afterAll(async () => {
    await Promise.all(apis.map(({ service }) => service.stop()));
    await ground.close();
  }, 30_000);

  const status = async (api: Api, secret: string): Promise<number> =>
    (await fetch(`${api.url}${route}`, { headers: { authorization: `Bearer ${secret}` } })).status;

  it('serve exactly the last 50 units when 200 calls race for them', async () => {
    const { secret, account } = await openAccount(ground, apis[0], { includedUnits: 50, overage: 'reject' });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => status(apis[index % 2] ?? apis[0], secret)),
    );
    const count = (wanted: number): number => answers.filter((answer) => answer === wanted).length;
    expect([count(200), count(429)]).toEqual([50, 150]);
    const read = async (): Promise<Record<string, unknown> | undefined> => {
      const [row] = await adminQuery<Record<string, unknown>>(
        ground.database.url,
        `select used::int, (select sum(units)::int from keyfare.entry where principal = $1 and kind = 'call') as usage,
        (select count(*)::int from keyfare.entry where principal = $1 and kind = 'call') as entries,
        (select count(signature)::int from keyfare.entry where principal = $1 and kind = 'call') as receipts
        from keyfare.allowance where account_id = $1`,
        [account],
      );
      return row;
    };
    // What a process has used of its lease is counted when the lease is folded.
    let row = await read();
    for (const deadline = Date.now() + 20_000; row?.['used'] !== 50 && Date.now() < deadline; row = await read()) {
      await new Promise((wake) => setTimeout(wake, 20));
    }
    expect(row).toEqual({ used: 50, usage: 50, entries: 50, receipts: 50 });
  });

  it('move money once and run the handler once for a payment fired 50 times at both', async () => {
    const payer = await fundedPayer(ground.chain, 1);
    const payload = await signAuthorization({ payer, to: ground.payTo, value: 1_000n });
    const headers = {
      'payment-signature': paymentHeaderV2({ payload, accepted: usdcRequirements(ground.payTo, 1_000n) }),
    };
    const answers = await Promise.all(
      Array.from(
        { length: 50 },
        async (_, index) => (await fetch(`${(apis[index % 2] ?? apis[0]).url}${route}`, { headers })).status,
      ),
    );
    expect(answers.every((answer) => answer === 200 || answer === 409)).toBe(true);
    const [row] = await adminQuery(
      ground.database.url,
      `select count(*)::int as usage, (select count(*)::int from keyfare.settlement) as settlements from keyfare.entry where rail = 'x402'`,
    );
    expect(row).toEqual({ usage: 1, settlements: 1 });
  });

  it('both refuse a key within a second of its revocation, though one of them lost its listener', async () => {
    // The calls that look take their time on a busy machine: the quickest of three counts.
    const tookMs: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const { secret, keyId } = await openAccount(ground, apis[0], { includedUnits: 1_000, overage: 'reject' });
      expect([await status(apis[0], secret), await status(apis[1], secret)]).toEqual([200, 200]);
      await adminQuery(
        ground.database.url,
        `select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'keyfare-listener' and datname = current_database() limit 1`,
      );
      await admin(ground, apis[0], `/keys/${keyId}/revoke`, {});
      const revokedAtMs = performance.now();
      for (const api of apis) {
        while ((await status(api, secret)) !== 401) expect(performance.now() - revokedAtMs).toBeLessThan(25_000);
      }
      tookMs.push(performance.now() - revokedAtMs);
    }
    expect(Math.min(...tookMs)).toBeLessThan(1_000);
  });

  it('answer what is under way when they are told to stop, and lose none of it', async () => {
    const third = await startApi(ground);
    const { secret, account } = await openAccount(ground, third, { includedUnits: 100_000, overage: 'reject' });
    const served: string[] = [];
    const odd: unknown[] = [];
    const caller = async (): Promise<void> => {
      for (;;) {
        try {
          const response = await fetch(`${third.url}${route}`, { headers: { authorization: `Bearer ${secret}` } });
          await response.arrayBuffer();
          if (response.status === 200) served.push(response.headers.get('receipt-id') ?? '');
          else if (response.status !== 503) odd.push(response.status);
        } catch (error) {
          // Refused: it no longer listens. Anything else would be an answer cut short.
          const { code } = (error as { cause?: { code?: string } }).cause ?? {};
          if (code !== 'ECONNREFUSED' && code !== 'UND_ERR_SOCKET' && code !== 'ECONNRESET') odd.push(code);
          return;
        }
      }
    };
    const callers = Array.from({ length: 16 }, caller);
    while (served.length < 200) await new Promise((wake) => setTimeout(wake, 5));
    const ending = await third.service.stop();
    await Promise.all(callers);
    expect(odd).toEqual([]);
    expect(ending).toEqual({ code: 0, signal: null });
    const [row] = await adminQuery(
      ground.database.url,
      `select used::int, leased::int, (select count(*)::int from keyfare.entry where kind = 'call' and rail = 'key' and principal = $1) as usage
        from keyfare.allowance where account_id = $1`,
      [account],
    );
    expect(row).toMatchObject({ leased: 0 });
    const found = await adminQuery<{ id: string }>(
      ground.database.url,
      `select id from keyfare.entry where kind = 'call' and rail = 'key' and principal = $1`,
      [account],
    );
    // Whatever was counted was answered: no response was cut off on its way.
    expect(new Set(found.map(({ id }) => id))).toEqual(new Set(served));
    expect(row?.['used']).toBe(found.length);
  }, 30_000);
});
