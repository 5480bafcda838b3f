import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import type { FastifyInstance } from 'fastify';
import { Free, Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, settled, signPayment, withKey } from './requests.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${spanId}-01`;

/** Says what a call out of the handler would carry. */
function outgoing(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

@Controller()
class TracedController {
  @Priced({ sku: 'traced', price: '$0.001' })
  @Get('traced/:secret')
  traced(): object {
    return outgoing();
  }

  @Priced({ sku: 'posted', price: '$0.001' })
  @Post('posted')
  @HttpCode(200)
  posted(): object {
    return outgoing();
  }

  @Priced({ sku: 'first', price: '$0.001', flow: 'upfront' })
  @Get('first')
  first(): object {
    return {};
  }

  @Free()
  @Get('fails')
  fails(): object {
    throw new Error('the handler failed');
  }
}

describe('a gate in a host that has registered an SDK of OpenTelemetry', () => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(provider);
    ground = await openGround();
    gate = await startGate(ground, { controllers: [TracedController] });
    payer = await fundedPayer(ground.chain, 1);
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
    trace.disable();
    propagation.disable();
    context.disable();
  }, 30_000);
  afterEach(() => exporter.reset());

  /** The spans of the request, once the server's has ended: that is the last. */
  const spansOf = async (name: string): Promise<readonly ReadableSpan[]> => {
    await settled(async () => exporter.getFinishedSpans().some((span) => span.name === name), true);
    return exporter.getFinishedSpans();
  };
  const named = (spans: readonly ReadableSpan[], name: string): ReadableSpan => {
    const found = spans.find((span) => span.name === name);
    if (found === undefined) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
    return found;
  };
  const childrenOf = (spans: readonly ReadableSpan[], parent: ReadableSpan): readonly string[] =>
    spans.filter((span) => span.parentSpanContext?.spanId === parent.spanContext().spanId).map(({ name }) => name);

  it('makes the tree of a call by key: the server under the caller, the stages under the server, the post statement under its stage', async () => {
    const { secret } = await gate.issueKey();
    await call(gate, '/traced/abc?token=hidden', withKey(secret));
    await spansOf('GET /traced/:secret');
    exporter.reset();
    const answer = await call(gate, '/traced/abc?token=hidden', {
      headers: { ...withKey(secret).headers, traceparent, tracestate: 'vendor=value' },
    });
    expect(answer.status).toBe(200);
    const spans = await spansOf('GET /traced/:secret');
    const server = named(spans, 'GET /traced/:secret');
    expect(server.kind).toBe(SpanKind.SERVER);
    expect(server.spanContext().traceId).toBe(traceId);
    expect(server.parentSpanContext?.spanId).toBe(spanId);
    expect(server.parentSpanContext?.isRemote).toBe(true);
    expect(server.spanContext().traceState?.serialize()).toBe('vendor=value');
    expect(server.attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': '/traced/:secret',
      'http.response.status_code': 200,
      'keyfare.exchange': answer.headers.get('receipt-id'),
      'keyfare.rail': 'key',
      'keyfare.receipt': answer.headers.get('receipt-id'),
      'keyfare.sku': 'traced',
    });
    expect(childrenOf(spans, server)).toEqual(['quote', 'credential', 'policy', 'hold', 'handler', 'post']);
    expect(childrenOf(spans, named(spans, 'post'))).toEqual(['keyfare_post_key_calls']);
    expect(named(spans, 'keyfare_post_key_calls').attributes).toEqual({
      'db.system.name': 'postgresql',
      'db.query.summary': 'keyfare_post_key_calls',
    });
    // What the handler asks of others carries the trace on, as a child of its stage.
    expect(answer.body['traceparent']).toBe(`00-${traceId}-${named(spans, 'handler').spanContext().spanId}-01`);
    expect(answer.headers.get('traceresponse')).toBe(`00-${traceId}-${server.spanContext().spanId}-01`);
  });

  it('makes the tree of a paid call: the chain is asked under its check, and the settlement is a stage', async () => {
    const { v2 } = await signPayment(ground, payer);
    const answer = await call(gate, '/traced/abc', { headers: v2 });
    expect(answer.status).toBe(200);
    const spans = await spansOf('GET /traced/:secret');
    const server = named(spans, 'GET /traced/:secret');
    expect(server.parentSpanContext).toBeUndefined();
    expect(server.attributes).toMatchObject({ 'keyfare.rail': 'x402', 'keyfare.sku': 'traced' });
    expect(childrenOf(spans, server)).toEqual(['quote', 'credential', 'hold', 'handler', 'settle', 'post']);
    const hold = childrenOf(spans, named(spans, 'hold'));
    expect(hold).toContain('keyfare_claim_payments');
    expect(hold).toContain('chain check');
    const asked = childrenOf(spans, named(spans, 'chain check'));
    expect(asked).toEqual(expect.arrayContaining(['eth_call', 'eth_blockNumber']));
    expect(childrenOf(spans, named(spans, 'settle'))).toContain('keyfare_store_settlements');
    expect(childrenOf(spans, named(spans, 'post'))).toEqual(['keyfare_post_paid_calls']);
    expect(named(spans, 'eth_blockNumber').attributes).toEqual({
      'keyfare.network': 'eip155:84532',
      'rpc.method': 'eth_blockNumber',
      'rpc.system': 'jsonrpc',
    });
  });

  it('settles before the handler where the route says so', async () => {
    const { v2 } = await signPayment(ground, payer);
    expect((await call(gate, '/first', { headers: v2 })).status).toBe(200);
    const spans = await spansOf('GET /first');
    expect(childrenOf(spans, named(spans, 'GET /first'))).toEqual([
      'quote',
      'credential',
      'hold',
      'settle',
      'handler',
      'post',
    ]);
  });

  it('says of a 402 that was refused what it was refused with, and calls it no error', async () => {
    expect((await call(gate, '/traced/abc')).status).toBe(402);
    const server = named(await spansOf('GET /traced/:secret'), 'GET /traced/:secret');
    expect(server.status.code).toBe(SpanStatusCode.UNSET);
    expect(server.attributes).toMatchObject({
      'http.response.status_code': 402,
      'keyfare.problem': 'payment/required',
      'keyfare.rail': 'none',
    });
    expect(server.attributes['error.type']).toBeUndefined();
  });

  it('calls an answer of 500 an error, by its code', async () => {
    expect((await call(gate, '/fails')).status).toBe(500);
    const server = named(await spansOf('GET /fails'), 'GET /fails');
    expect(server.status.code).toBe(SpanStatusCode.ERROR);
    expect(server.attributes['error.type']).toBe('service/internal');
  });

  it('keeps the trace of a call with a body, whose events come from its socket', async () => {
    const { secret } = await gate.issueKey();
    const answer = await call(gate, '/posted', {
      method: 'POST',
      body: JSON.stringify({ large: 'x'.repeat(200_000) }),
      headers: { ...withKey(secret).headers, 'content-type': 'application/json', traceparent },
    });
    const spans = await spansOf('POST /posted');
    expect(answer.body['traceparent']).toBe(`00-${traceId}-${named(spans, 'handler').spanContext().spanId}-01`);
  });

  it('begins a trace of its own under a traceparent that is invalid, and passes over its tracestate', async () => {
    const { secret } = await gate.issueKey();
    const headers = {
      ...withKey(secret).headers,
      traceparent: `00-${traceId}-${'0'.repeat(16)}-01`,
      tracestate: 'a=b',
    };
    const answer = await call(gate, '/traced/abc', { headers });
    const server = named(await spansOf('GET /traced/:secret'), 'GET /traced/:secret');
    expect(server.parentSpanContext).toBeUndefined();
    expect(server.spanContext().traceId).not.toBe(traceId);
    expect(server.spanContext().traceState).toBeUndefined();
    expect(answer.headers.get('traceresponse')).toBeNull();
  });

  it("carries a caller's tracestate of 32 members on in its order, and nothing of one with more, or above 512 characters", async () => {
    const { secret } = await gate.issueKey();
    const ask = async (tracestate: string): Promise<string | undefined> => {
      exporter.reset();
      await call(gate, '/traced/abc', { headers: { ...withKey(secret).headers, traceparent, tracestate } });
      const server = named(await spansOf('GET /traced/:secret'), 'GET /traced/:secret');
      return server.spanContext().traceState?.serialize();
    };
    const members = Array.from({ length: 33 }, (_, index) => `k${index}=v`);
    expect(await ask(members.slice(1).join(','))).toBe(members.slice(1).join(','));
    expect(await ask(members.join(','))).toBeUndefined();
    expect(await ask(`a=${'v'.repeat(250)},b=${'v'.repeat(250)},c=${'v'.repeat(20)}`)).toBeUndefined();
  });

  it('puts nothing into spans that a caller must keep to itself: key, payment, path parameter, query', async () => {
    const { secret } = await gate.issueKey();
    const { v2 } = await signPayment(ground, payer);
    await call(gate, '/traced/path-parameter?query=parameter', withKey(secret));
    await spansOf('GET /traced/:secret');
    await call(gate, '/traced/path-parameter?query=parameter', { headers: v2 });
    await settled(
      async () => exporter.getFinishedSpans().filter(({ name }) => name === 'GET /traced/:secret').length,
      2,
    );
    const told = JSON.stringify(
      exporter.getFinishedSpans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
    );
    for (const hidden of [secret, v2['payment-signature'] ?? '', 'path-parameter', 'query=', ground.chain.rpcUrl]) {
      expect(told).not.toContain(hidden);
    }
  });

  it('is a child of the span that the instrumentation of the host has made for the request, whatever the caller sent', async () => {
    const fastify: FastifyInstance = gate.app.getHttpAdapter().getInstance();
    const outer = trace.getTracer('host').startSpan('host');
    const request = { url: '/fails', headers: { traceparent } };
    await context.with(trace.setSpan(context.active(), outer), async () => fastify.inject(request));
    outer.end();
    const server = named(await spansOf('GET /fails'), 'GET /fails');
    expect(server.parentSpanContext?.spanId).toBe(outer.spanContext().spanId);
    expect(server.kind).toBe(SpanKind.INTERNAL);
  });

  it('names the trace in the access line', async () => {
    const { secret } = await gate.issueKey();
    await call(gate, '/traced/abc', { headers: { ...withKey(secret).headers, traceparent } });
    await settled(async () => gate.lines.some((line) => line.includes(`"trace":"${traceId}"`)), true);
    expect(gate.lines.find((line) => line.includes(`"trace":"${traceId}"`))).toContain('"route":"/traced/:secret"');
  });
});

describe('the program of docs/watching.md', () => {
  it('is the one that this test runs before a gate, and spans of its requests come out', async () => {
    const [program, papers] = ['packages/gate/test/register-sdk.ts', 'docs/watching.md'].map((path) =>
      readFileSync(fileURLToPath(new URL(`../../../../${path}`, import.meta.url)), 'utf8'),
    );
    expect(/```ts\n([^`]+)```/.exec(papers ?? '')?.[1]).toBe(program);
    const ground = await openGround();
    const [sdk, gate] = ['./register-sdk.js', './gate-process.js'].map((path) =>
      fileURLToPath(new URL(path, import.meta.url)),
    );
    const child = spawn(process.execPath, ['--import', sdk ?? '', gate ?? ''], {
      env: { ...ground.env, PATH: process.env['PATH'], OTEL_BSP_SCHEDULE_DELAY: '50' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const text = await new Promise<string>((resolve, reject) => {
        let said = '';
        child.on('exit', () => reject(new Error(`the gate ended: ${said}`)));
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          if (!said.includes('\n') && `${said}${chunk}`.includes('\n')) {
            const [url = ''] = `${said}${chunk}`.split('\n');
            fetch(`${url}/ping`).catch(reject);
          }
          said += chunk;
          if (said.includes(`name: 'GET /ping'`)) resolve(said);
        });
      });
      expect(text).toContain(`'keyfare.problem': 'payment/required'`);
    } finally {
      child.removeAllListeners('exit');
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      await ground.close();
    }
  }, 60_000);
});

describe('a gate in a host without an SDK', () => {
  let ground: Ground;
  let gate: GateUnderTest;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);

  it("names the caller's trace in the access line, and answers no traceresponse", async () => {
    const answer = await call(gate, '/free', { headers: { traceparent } });
    expect(answer.headers.get('traceresponse')).toBeNull();
    await settled(async () => gate.lines.some((line) => line.includes(`"trace":"${traceId}"`)), true);
    expect(gate.lines.some((line) => line.includes(`"trace":"${traceId}"`))).toBe(true);
  });

  it('names no trace for a traceparent that is invalid', async () => {
    await call(gate, '/free', { headers: { traceparent: `ff-${traceId}-${spanId}-01` } });
    await settled(async () => gate.lines.filter((line) => line.includes('"msg":"exchange"')).length, 2);
    expect(gate.lines.filter((line) => line.includes('"trace":'))).toHaveLength(1);
  });
});
