import { randomBytes } from 'node:crypto';
import { choosePort } from '@keyfare/devstack/ports';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { AdminModule } from '../src/admin/admin.module.js';
import { describeAdmin } from '../src/admin/swagger.js';
import { MetricsModule } from '../src/metrics.module.js';
import { ConfigurationError, GateModule } from '../src/module.js';
import { Free } from '../src/tariff.js';
import { GateHealthIndicator, GateHealthModule } from '../src/terminus.js';
import { type Ground, openGround, TestController } from './gate-under-test.js';
import { type Host, optionsOf, startHost } from './host-under-test.js';
import { call, settled } from './requests.js';

let ground: Ground;
let node: Proxy;
const hosts: Host[] = [];

beforeAll(async () => {
  ground = await openGround();
  node = await openProxy(ground.chain.rpcUrl);
}, 60_000);
afterEach(async () => {
  await Promise.all(hosts.splice(0).map(async (host) => host.close()));
  node.reset();
});
afterAll(async () => {
  await node.close();
  await ground.close();
});

async function start(parts: Parameters<typeof startHost>[0]): Promise<Host> {
  const host = await startHost(parts);
  hosts.push(host);
  return host;
}

describe('health indicators for Terminus', () => {
  @Free()
  @Controller('health')
  class HealthController {
    constructor(
      private readonly health: HealthCheckService,
      private readonly gate: GateHealthIndicator,
    ) {}

    @Get()
    @HealthCheck()
    async check(): Promise<HealthCheckResult> {
      return this.health.check([() => this.gate.isReady('keyfare'), () => this.gate.hasDatabase('database')]);
    }

    @Get('payments')
    @HealthCheck()
    async payments(): Promise<HealthCheckResult> {
      return this.health.check([() => this.gate.takesPayments('payments')]);
    }
  }

  it('say that all is up, and which part is not when the node is away', async () => {
    const gate = GateModule.forRoot({ ...optionsOf(ground), rpcUrl: node.url });
    const host = await start({ imports: [gate, GateHealthModule], controllers: [HealthController] });
    // What is asked for the first time may not have answered in its time.
    expect(await settled(async () => (await call(host, '/health')).status, 200)).toBe(200);
    const up = await call(host, '/health');
    expect([up.status, up.body['status']]).toEqual([200, 'ok']);
    expect(up.body['details']).toMatchObject({
      keyfare: { status: 'up', database: 'up', chain: 'up', listener: 'up' },
      database: { status: 'up' },
    });
    expect((await call(host, '/health/payments')).status).toBe(200);
    node.handle = (_incoming, response) => {
      response.writeHead(502).end();
      return true;
    };
    expect(await settled(async () => (await call(host, '/health/payments')).status, 503)).toBe(503);
    const degraded = await call(host, '/health');
    expect([degraded.status, degraded.body['status']]).toEqual([200, 'degraded']);
    expect(degraded.body['details']).toMatchObject({ keyfare: { status: 'degraded', chain: 'down' } });
  });
});

describe('the metrics of a host', () => {
  const gate = () => GateModule.forRoot(optionsOf(ground));

  it('are for those who show the token, at one place under any prefix, and 404 for strangers', async () => {
    const token = randomBytes(32).toString('base64url');
    const host = await start({
      imports: [gate(), MetricsModule.forRoot({ token })],
      prepare: (app) => app.setGlobalPrefix('api'),
    });
    const get = async (headers: Record<string, string>) => fetch(`${host.url}/metrics`, { headers });
    const seen = await get({ authorization: `Bearer ${token}` });
    expect([seen.status, seen.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(await seen.text()).toMatch(/keyfare_calls_total[\s\S]*process_cpu_user_seconds_total/);
    expect((await get({})).status).toBe(404);
    expect((await get({ authorization: 'Bearer wrong' })).status).toBe(404);
  });

  it('are on a port of their own where one is named, which the module opens and closes, and nothing else is there', async () => {
    const port = await choosePort();
    const host = await start({ imports: [gate(), MetricsModule.forRoot({ port })], adapter: new FastifyAdapter() });
    const status = async (url: string) => (await fetch(url)).status;
    expect(await status(`http://127.0.0.1:${port}/metrics`)).toBe(200);
    expect(await status(`http://127.0.0.1:${port}/free`)).toBe(404);
    expect(await status(`${host.url}/metrics`)).toBe(404);
    expect(await status(`${host.url}/free`)).toBe(200);
    await hosts.pop()?.close();
    await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow('fetch failed');
  });

  it('must be for somebody', () => {
    for (const wrong of [{}, { isPublic: true, port: 1 }, { token: 'short' }, { port: 70_000 }, { isPublic: false }]) {
      expect(() => MetricsModule.forRoot(wrong)).toThrow(ConfigurationError);
    }
    expect(() => MetricsModule.forRoot({ isPublic: true })).not.toThrow();
  });
});

describe('the admin API of a host', () => {
  const token = randomBytes(32).toString('base64url');

  @Injectable()
  class Secrets {
    readonly bootstrapToken = token;
  }

  @Module({ providers: [Secrets], exports: [Secrets] })
  class SecretsModule {}

  it.each([
    ['short', 'x'.repeat(31)],
    ['guessable, in production', 'replace-me-with-32-random-characters-or-more'],
  ])('does not start with a bootstrap token that is %s', async (_what, bootstrapToken) => {
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      const gate = GateModule.forRoot({ ...optionsOf(ground), publicUrl: 'http://api.test' });
      const error = await start({ imports: [gate, AdminModule.forRoot({ bootstrapToken })] }).catch(
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(ConfigurationError);
      expect((error as ConfigurationError).faults.join()).toMatch(/^bootstrapToken /);
    } finally {
      if (before === undefined) delete process.env['NODE_ENV'];
      else process.env['NODE_ENV'] = before;
    }
  });

  it('is under its prefix and version-free, holds bodies to their schemas without a pipe of the host, and lets no page in', async () => {
    const gate = GateModule.forRoot({ ...optionsOf(ground), corsOrigins: '*', isGlobal: false });
    const admin = AdminModule.forRootAsync({
      imports: [gate, SecretsModule],
      inject: [Secrets],
      useFactory: ({ bootstrapToken }: Secrets) => ({ bootstrapToken }),
    });
    const host = await start({ imports: [gate, admin], prepare: (app) => app.setGlobalPrefix('api/v2') });
    const send = async (path: string, bearer: string, body?: unknown) =>
      call(host, `/api/v2/admin${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          authorization: `Bearer ${bearer}`,
          origin: 'https://page.example',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const scopes = ['read', 'write', 'money'];
    const loose = await send('/operators', token, { name: 'first', scopes, extra: 1 });
    expect([loose.status, loose.body['code']]).toEqual([400, 'request/invalid']);
    const made = await send('/operators', token, { name: 'first', scopes });
    expect(made.status).toBe(201);
    const operator = String(made.body['token']);
    const plan = { slug: 'hosted', includedUnits: 5, overage: 'reject' };
    const created = await send('/plans', operator, plan);
    expect([created.status, created.body['monthlyPrice']]).toEqual([201, '$0.000000']);
    const listed = await send('/plans?limit=1', operator);
    expect([listed.status, (listed.body['items'] as unknown[]).length]).toEqual([200, 1]);
    expect((await send('/plans?limit=many', operator)).status).toBe(400);
    expect(created.headers.get('access-control-allow-origin')).toBeNull();
    const preflight = await fetch(`${host.url}/api/v2/admin/plans`, {
      method: 'OPTIONS',
      headers: { origin: 'https://page.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
    const free = await fetch(`${host.url}/api/v2/free`, { headers: { origin: 'https://page.example' } });
    expect(free.headers.get('access-control-allow-origin')).toBe('*');
  });

  it('describes itself for a host that has @nestjs/swagger', async () => {
    const imports = [GateModule.forRoot(optionsOf(ground)), AdminModule.forRoot()];
    const { app } = await start({ imports, controllers: [TestController] });
    describeAdmin();
    describeAdmin();
    const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    const create = paths['/admin/plans']?.post;
    expect(create?.security).toEqual([{ bearer: [] }]);
    expect(create?.responses['201']).toMatchObject({ content: { 'application/json': {} } });
  });
});
