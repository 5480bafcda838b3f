import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Post } from '@nestjs/common';
import { DiscoveryModule } from '../src/discovery.module.js';
import { preflightVerdict } from '../src/exchange/preflight.js';
import { KeyService } from '../src/services.js';
import { Free, Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { type Answer, call, rows, settled, signPayment, withKey } from './requests.js';

const discovery = () => DiscoveryModule.forRoot({ title: 'Test', description: 'Tests.' });

/** Routes beside those of `TestController`. */
@Controller()
class MoreController {
  static frees = 0;

  @Priced({ sku: 'given', price: '$0.001', free: { calls: 1, per: 'wallet', period: 'month' } })
  @Get('given')
  given(): object {
    TestController.work.runs += 1;
    return {};
  }

  @Priced({ sku: 'scarce', price: '$0.001', free: { calls: 1, per: 'wallet', period: 'month', total: 1 } })
  @Get('scarce')
  scarce(): object {
    TestController.work.runs += 1;
    return {};
  }

  @Priced({ sku: 'upfront', price: '$0.001', flow: 'upfront' })
  @Get('upfront')
  upfront(): object {
    TestController.work.runs += 1;
    return {};
  }

  @Priced({ sku: 'deferred', price: '$0.001', flow: 'deferred' })
  @Get('deferred')
  deferred(): object {
    TestController.work.runs += 1;
    return {};
  }

  @Free()
  @Post('nothing-sold')
  nothingSold(): object {
    MoreController.frees += 1;
    return {};
  }
}

interface Verdict {
  readonly wouldSucceed: boolean;
  readonly rail: string | null;
  readonly isReplay?: boolean;
  readonly sku?: string;
  readonly price?: string;
  readonly accepts?: readonly { readonly amount: string }[];
  readonly problem?: { readonly code: string; readonly status: number; readonly remedy: string };
}

describe('a preflight', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, {
      controllers: [TestController, MoreController],
      imports: [discovery()],
      // As many as this file asks from one address.
      env: { REFUSED_PAYMENTS_PER_ADDRESS: '1000', REFUSED_PAYMENTS_TOTAL: '1000' },
    });
    payer = await fundedPayer(ground.chain, 1);
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    TestController.work.runs = 0;
  });

  const taken = async (): Promise<unknown> => {
    const sql = `select (select count(*)::int from keyfare.payment) as payments,
      (select coalesce(sum(used), 0)::int from keyfare.free_caller) as free,
      (select count(*)::int from keyfare.free_hold) as held`;
    return [await rows(ground.database.url, sql), TestController.work.runs];
  };

  const ask = async (url: string, headers: Record<string, string> = {}, more: object = {}): Promise<Verdict> => {
    const answer = await call(gate, '/preflight', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ url, ...more }),
    });
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    return preflightVerdict.parse(answer.body) as Verdict;
  };

  /** Asks, sees that nothing was taken, makes the call and compares. */
  const agree = async (path: string, headers: Record<string, string> = {}): Promise<[Verdict, Answer]> => {
    const before = await taken();
    const verdict = await ask(path, headers);
    expect(await taken()).toEqual(before);
    const real = await call(gate, path, { headers });
    expect([path, verdict.wouldSucceed]).toEqual([path, real.status < 400]);
    if (real.status >= 400) {
      expect([verdict.problem?.status, verdict.problem?.code]).toEqual([real.status, real.body['code']]);
      expect(verdict.problem?.remedy).toMatch(/\w/);
      expect(verdict.rail).toBeNull();
    }
    return [verdict, real];
  };

  it('without a credential says the price and what could be paid with, as the 402 does', async () => {
    const [verdict] = await agree('/ping');
    expect(verdict).toMatchObject({ sku: 'ping', price: '0.001000', accepts: [{ amount: '1000' }] });
    const absolute = await ask('http://api.test/echo', {}, { method: 'POST', body: { text: 'x' } });
    expect(absolute).toMatchObject({ sku: 'echo', price: '0.002000', problem: { code: 'payment/required' } });
  });

  it('with a key says what the call with that key comes to, whatever its plan is', async () => {
    const good = await gate.issueKey();
    const [served] = await agree('/ping', withKey(good.secret).headers);
    expect(served).toEqual({ wouldSucceed: true, rail: 'key', sku: 'ping', units: '1', price: '0.001000' });
    const { v2 } = await signPayment(ground, payer);
    expect((await agree('/ping', { ...withKey(good.secret).headers, ...v2 }))[0].rail).toBe('key');
    const invoiced = await gate.issueKey({ includedUnits: 0n, overage: 'invoice', overagePrice: 1n });
    expect((await agree('/ping', withKey(invoiced.secret).headers))[0].rail).toBe('key');
    const limited = await gate.issueKey({ scopes: ['other'] });
    expect((await agree('/ping', withKey(limited.secret).headers))[0].problem?.code).toBe('policy/forbidden');
    const spent = await gate.issueKey({ includedUnits: 0n, overage: 'reject' });
    expect((await agree('/ping', withKey(spent.secret).headers))[0].problem?.code).toBe('meter/exhausted');
    const beyond = await gate.issueKey({ includedUnits: 0n, overage: 'x402', overagePrice: 700n });
    const [priced] = await agree('/ping', withKey(beyond.secret).headers);
    expect(priced).toMatchObject({
      problem: { code: 'payment/required' },
      price: '0.000700',
      accepts: [{ amount: '700' }],
    });
    const right = await signPayment(ground, payer, { value: 700n });
    expect((await agree('/ping', { ...withKey(beyond.secret).headers, ...right.v2 }))[0].rail).toBe('x402');
    const wrong = await signPayment(ground, payer, { value: 999n });
    expect((await agree('/ping', { ...withKey(beyond.secret).headers, ...wrong.v2 }))[0].problem?.code).toBe(
      'payment/mismatched',
    );
  });

  it('takes no unit of the last ones of a month, however often it is asked', async () => {
    const { secret } = await gate.issueKey({ includedUnits: 1n, overage: 'reject' });
    for (let index = 0; index < 5; index += 1) {
      expect((await ask('/ping', withKey(secret).headers)).wouldSucceed).toBe(true);
    }
    expect((await agree('/ping', withKey(secret).headers))[0].wouldSucceed).toBe(true);
    expect((await agree('/ping', withKey(secret).headers))[0].problem?.code).toBe('meter/exhausted');
  });

  it('with a bad key, two keys or one in the URL says why, and never falls through to the payment', async () => {
    const { v2 } = await signPayment(ground, payer);
    const [one, two, revoked] = [await gate.issueKey(), await gate.issueKey(), await gate.issueKey()];
    await gate.app.get(KeyService).revoke(revoked.key.id);
    expect((await agree('/ping', { 'x-api-key': 'kf_test_nonsense', ...v2 }))[0].problem?.code).toBe(
      'credential/malformed',
    );
    expect((await agree('/ping', { 'x-api-key': revoked.secret, ...v2 }))[0].problem?.code).toBe('credential/revoked');
    const both = { authorization: `Bearer ${one.secret}`, 'x-api-key': two.secret };
    expect((await agree('/ping', both))[0].problem?.code).toBe('credential/ambiguous');
    expect((await agree(`/ping?key=${one.secret}`, v2))[0].problem?.code).toBe('credential/in-query');
  });

  it('with a payment says what the call with that payment comes to, and leaves the payment as it was', async () => {
    const now = BigInt(Math.floor(Date.now() / 1_000));
    const stranger = testPayer(77);
    for (const path of ['/ping', '/upfront', '/deferred']) {
      const { v2 } = await signPayment(ground, payer);
      expect((await agree(path, v2))[0]).toMatchObject({ wouldSucceed: true, rail: 'x402' });
      // Presented again, by its owner: the stored answer, and no second charge.
      expect((await agree(path, v2))[0]).toMatchObject({ wouldSucceed: true, rail: 'x402', isReplay: true });
      const { 'idempotency-key': _, ...unowned } = v2;
      expect((await agree(path, unowned as Record<string, string>))[0].problem?.code).toBe('payment/served');
      expect((await agree('/other', v2))[0].problem?.code).toBe('payment/replayed');
    }
    const cases = [
      [await signPayment(ground, payer, { value: 999n }), 'payment/mismatched'],
      [await signPayment(ground, payer, { validBefore: now - 5n }), 'payment/expired'],
      [await signPayment(ground, payer, { validAfter: now + 600n }), 'payment/not-yet-valid'],
      [await signPayment(ground, stranger, { from: payer.address }), 'payment/invalid-signature'],
      [await signPayment(ground, stranger), 'payment/insufficient-funds'],
    ] as const;
    for (const [{ v2 }, code] of cases) expect((await agree('/ping', v2))[0].problem?.code).toBe(code);
    expect((await agree('/ping', { 'payment-signature': '%%%' }))[0].problem?.code).toBe('payment/malformed');
  });

  it('says that a call is free, and that it is free no more, without using it', async () => {
    const wallet = await fundedPayer(ground.chain, 2);
    const first = await signPayment(ground, wallet);
    expect((await ask('/given', first.v2)).rail).toBe('free');
    expect((await agree('/given', first.v2))[0].rail).toBe('free');
    const second = await signPayment(ground, wallet);
    expect((await agree('/given', second.v2))[0].rail).toBe('x402');
  });

  it('says what a call costs when all callers together have used the free ones up, which this caller has not', async () => {
    const [first, second] = [await fundedPayer(ground.chain, 4), await fundedPayer(ground.chain, 5)];
    expect((await agree('/scarce', (await signPayment(ground, first)).v2))[0].rail).toBe('free');
    const { v2 } = await signPayment(ground, second);
    // A peer that has refused nobody yet.
    const peer = await startGate(ground, { controllers: [MoreController], imports: [discovery()] });
    try {
      const headers = { ...v2, 'content-type': 'application/json' };
      const asked = await call(peer, '/preflight', { method: 'POST', headers, body: '{"url":"/scarce"}' });
      expect(asked.body).toMatchObject({ wouldSucceed: true, rail: 'x402' });
    } finally {
      await peer.close();
    }
    expect((await agree('/scarce', v2))[0].rail).toBe('x402');
  });

  it('says that a payment is being worked on', async () => {
    const { v2 } = await signPayment(ground, payer);
    TestController.work.pause();
    const running = call(gate, '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    expect((await ask('/ping', v2)).problem?.code).toBe('payment/in-progress');
    TestController.work.resume();
    expect((await running).status).toBe(200);
  });

  it('runs no handler, and tells nothing of what is not sold', async () => {
    const { secret } = await gate.issueKey();
    for (const headers of [{}, withKey(secret).headers]) {
      const verdict = await ask('/nothing-sold', headers, { method: 'POST' });
      expect(verdict.problem?.code).toBe('request/not-found');
      expect((await ask('/nowhere', headers)).problem?.code).toBe('request/not-found');
      expect((await ask('/ping', headers, { method: 'PUT' })).problem?.code).toBe('request/method-not-allowed');
      expect((await ask('/preflight', headers, { method: 'POST', body: { url: '/ping' } })).problem?.code).toBe(
        'request/not-found',
      );
      expect((await ask('/ping', headers)).sku).toBe('ping');
    }
    expect([TestController.work.runs, MoreController.frees]).toEqual([0, 0]);
  });

  it.each(['', '/inner'])(
    'never reaches what a host has at other addresses, however they are written, with the mount "%s"',
    async (mount) => {
      const reached: string[] = [];
      const host = await startGate(ground, {
        controllers: [TestController, MoreController],
        imports: [discovery()],
        env: { MOUNT_PATH: mount },
        prepare: (app) =>
          app.use((request: { originalUrl: string }, _response: unknown, next: () => void) => {
            reached.push(request.originalUrl);
            next();
          }),
      });
      const judge = async (url: string, method = 'GET'): Promise<Verdict> => {
        const body = JSON.stringify({ url, method });
        const headers = { 'content-type': 'application/json' };
        const answer = await call(host, '/preflight', { method: 'POST', headers, body });
        expect([url, answer.status]).toEqual([url, 200]);
        return answer.body as unknown as Verdict;
      };
      try {
        const inside = [
          '/inside',
          '/fail/../inside',
          '/fail/%2e%2e/inside',
          String.raw`/\inside`,
          '/./inside',
          '/ping/../nothing-sold',
        ];
        for (const url of [...inside, String.raw`/\[`, '/in\nside', '/%', '/']) {
          for (const method of ['GET', 'DELETE']) {
            expect([url, (await judge(url, method)).problem?.code]).toEqual([url, 'request/not-found']);
          }
        }
        expect(reached.filter((url) => url !== '/preflight')).toEqual([]);
        // As clients write it.
        expect((await judge('/inside/../ping#part')).sku).toBe('ping');
        expect(reached.filter((url) => url !== '/preflight')).toEqual(['/ping']);
      } finally {
        await host.close();
      }
    },
  );

  it('tells the status where a host refuses before the gate, whatever it says', async () => {
    let said = '';
    const host = await startGate(ground, {
      imports: [discovery()],
      prepare: (app) =>
        app.use('/other', (_request: unknown, response: { statusCode: number; end: (text: string) => void }) => {
          response.statusCode = 503;
          response.end(said);
        }),
    });
    try {
      for (said of ['null', '"no"', '[]', '{"title":{},"detail":1,"code":"no/such"}', 'not JSON', '']) {
        const headers = { 'content-type': 'application/json' };
        const answer = await call(host, '/preflight', { method: 'POST', headers, body: '{"url":"/other"}' });
        expect([said, answer.status, answer.body]).toEqual([
          said,
          200,
          { wouldSucceed: false, rail: null, problem: { status: 503, title: 'Refused' } },
        ]);
      }
    } finally {
      await host.close();
    }
  });

  it('is refused with 400 for what is no question, and a name that somebody made up makes no call a dry run', async () => {
    for (const body of [
      '{}',
      '{"url":"https://elsewhere.test/ping"}',
      '{"url":"//x/ping"}',
      '{"url":"/ping","headers":{}}',
      `{"url":"/echo","method":"POST","body":${'['.repeat(9_000)}${']'.repeat(9_000)}}`,
      '[]',
      '{',
    ]) {
      const headers = { 'content-type': 'application/json' };
      const answer = await call(gate, '/preflight', { method: 'POST', headers, body });
      expect([body.slice(0, 99), answer.status]).toEqual([body.slice(0, 99), 400]);
    }
    const { secret } = await gate.issueKey();
    const headers = { ...withKey(secret).headers, 'keyfare-dry-run': 'a'.repeat(32) };
    expect((await call(gate, '/ping', { headers })).status).toBe(200);
  });
});

describe('preflights of strangers', () => {
  it.each([['/ping'], ['/given']])(
    'of %s cost no more than refused payments may: the one too many is refused before anybody is asked',
    async (url) => {
      const ground = await openGround();
      const gate = await startGate(ground, {
        controllers: [TestController, MoreController],
        imports: [discovery()],
        env: { REFUSED_PAYMENTS_PER_ADDRESS: '1' },
      });
      try {
        const { v2 } = await signPayment(ground, await fundedPayer(ground.chain, 3));
        const codes: unknown[] = [];
        for (let index = 0; index < 12; index += 1) {
          const headers = { ...v2, 'content-type': 'application/json' };
          const { body } = await call(gate, '/preflight', { method: 'POST', headers, body: JSON.stringify({ url }) });
          codes.push((body as unknown as Verdict).problem?.code);
        }
        expect(codes[0]).toBeUndefined();
        expect(codes).toContain('payment/throttled');
      } finally {
        await gate.close();
        await ground.close();
      }
    },
    60_000,
  );
});
