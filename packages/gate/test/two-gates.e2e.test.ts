import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Req } from '@nestjs/common';
import { AdminModule } from '../src/admin/admin.module.js';
import { GateMetrics } from '../src/metrics.module.js';
import { GateModule } from '../src/module.js';
import { GatePassport } from '../src/services.js';
import { Free } from '../src/tariff.js';
import { type Ground, openGround, TestController } from './gate-under-test.js';
import { type Host, issueKey, optionsOf, startHost } from './host-under-test.js';
import { call, decodeHeader, withKey } from './requests.js';

/** What a host asks its gate about a caller, on a route that costs nothing. */
@Free()
@Controller('me')
class MeController {
  constructor(private readonly passport: GatePassport) {}

  @Get()
  async me(@Req() request: unknown): Promise<object> {
    return { kind: (await this.passport.prove('api-key', request))?.kind };
  }
}

/** Two services of one process: the same controller and, on purpose, not one setting in common. */
describe('two gates in one process', () => {
  let ground: Ground;
  let otherDatabase: TestDatabase;
  let one: Host;
  let other: Host;
  const otherPayTo = `0x${randomBytes(20).toString('hex')}`;
  const tokens = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')] as const;

  beforeAll(async () => {
    [ground, otherDatabase] = await Promise.all([openGround(), createTestDatabase()]);
    const receiptSigningKey = generateKeyPairSync('ed25519')
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    [one, other] = await Promise.all([
      startHost({
        controllers: [TestController, MeController],
        imports: [
          GateModule.forRoot({ ...optionsOf(ground), publicUrl: 'http://one.test' }),
          AdminModule.forRoot({ bootstrapToken: tokens[0] }),
        ],
      }),
      startHost({
        controllers: [TestController, MeController],
        imports: [
          GateModule.forRoot({
            env: false,
            databaseUrl: otherDatabase.url,
            publicUrl: 'http://other.test/shop',
            corsOrigins: '*',
            networks: [
              {
                network: 'sei-testnet',
                rpcUrl: ground.chain.rpcUrl,
                payTo: otherPayTo,
                settlerPrivateKey: `0x${randomBytes(32).toString('hex')}`,
              },
            ],
            receiptSigningKey,
            apiKeyPeppers: [{ id: 'q1', secret: randomBytes(32).toString('base64url') }],
          }),
          AdminModule.forRoot({ bootstrapToken: tokens[1] }),
        ],
        prepare: (app) => app.setGlobalPrefix('api'),
      }),
    ]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([one.close(), other.close()]);
    await otherDatabase.drop();
    await ground.close();
  });

  it('refuse each other’s keys with 401', async () => {
    const keys = [await issueKey(one), await issueKey(other)] as const;
    const statusOf = async (host: Host, path: string, key: string) => (await call(host, path, withKey(key))).status;
    expect([await statusOf(one, '/ping', keys[0]), await statusOf(other, '/api/ping', keys[1])]).toEqual([200, 200]);
    expect([await statusOf(one, '/ping', keys[1]), await statusOf(other, '/api/ping', keys[0])]).toEqual([401, 401]);
  });

  it('prove to their hosts the keys of their own accounts, and nobody by the keys of the other', async () => {
    const keys = [await issueKey(one), await issueKey(other)] as const;
    const answers = [
      await call(one, '/me', withKey(keys[0])),
      await call(other, '/api/me', withKey(keys[1])),
      await call(one, '/me', withKey(keys[1])),
      await call(other, '/api/me', withKey(keys[0])),
    ];
    expect(answers.map(({ status, body }) => [status, body['kind'] ?? body['code']])).toEqual([
      [200, 'account'],
      [200, 'account'],
      [401, 'credential/unknown'],
      [401, 'credential/unknown'],
    ]);
  });

  it('offer the same route for payment to their own wallets, on their own networks, at their own URLs', async () => {
    const offers = await Promise.all(
      [call(one, '/ping'), call(other, '/api/ping')].map(async (answer) => {
        const { accepts, resource } = decodeHeader((await answer).headers, 'payment-required') as {
          accepts: { network: string; payTo: string }[];
          resource: { url: string };
        };
        return [accepts.map(({ network, payTo }) => `${network} ${payTo.toLowerCase()}`), resource.url];
      }),
    );
    expect(offers).toEqual([
      [[`eip155:84532 ${ground.payTo}`], 'http://one.test/ping'],
      [[`eip155:1328 ${otherPayTo}`], 'http://other.test/shop/api/ping'],
    ]);
  });

  it('publish their own keys, count their own calls, and link their own pages', async () => {
    const kids = await Promise.all(
      [one, other].map(async (host) => {
        const { keys } = (await call(host, '/.well-known/jwks.json')).body as { keys: { kid: string }[] };
        return keys.map(({ kid }) => kid.split('#')[0]);
      }),
    );
    expect(kids).toEqual([['did:web:one.test'], ['did:web:other.test:shop']]);
    await call(one, '/free');
    const texts = await Promise.all([one, other].map(async ({ app }) => app.get(GateMetrics).registry.metrics()));
    expect(texts.map((text) => /keyfare_calls_total\{route="\/free"/.test(text))).toEqual([true, false]);
    const types = await Promise.all([call(one, '/nothing'), call(other, '/api/nothing')]);
    expect(types.map(({ body }) => body['type'])).toEqual([
      '/problems/request/not-found',
      '/shop/problems/request/not-found',
    ]);
  });

  it('pace their own strangers, and let pages of their own origins in', async () => {
    const ask = async (url: string) => (await fetch(url, { headers: { authorization: 'Bearer wrong' } })).status;
    const strangers = await Promise.all(Array.from({ length: 60 }, async () => ask(`${one.url}/admin/plans`)));
    expect(strangers).toContain(429);
    expect(await ask(`${other.url}/api/admin/plans`)).toBe(401);
    const origin = 'https://page.example';
    const allowed = await Promise.all(
      [call(one, '/free', { headers: { origin } }), call(other, '/api/free', { headers: { origin } })].map(
        async (answer) => (await answer).headers.get('access-control-allow-origin'),
      ),
    );
    expect(allowed).toEqual([null, '*']);
  });

  it('have their own operators', async () => {
    const create = async (host: Host, path: string, token: string) =>
      (
        await call(host, path, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ name: 'first', scopes: ['read'] }),
        })
      ).status;
    // 429 where others have tried from this address.
    expect([401, 429]).toContain(await create(one, '/admin/operators', tokens[1]));
    expect([401, 429]).toContain(await create(other, '/api/admin/operators', tokens[0]));
    expect(await create(one, '/admin/operators', tokens[0])).toBe(201);
    expect(await create(other, '/api/admin/operators', tokens[1])).toBe(201);
  });
});
