import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { parseJwks, type ReceiptPayload, verifyReceipt } from '@keyfare/core/receipt';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { expect } from '@keyfare/jest-preset/globals';
import type { Provider, Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows, settled, signPayment, withKey } from './requests.js';

/** A response as a fetch client has it: the body's bytes with every content coding undone. */
export interface Wire {
  readonly status: number;
  readonly headers: Headers;
  readonly type: string | undefined;
  readonly body: Buffer;
}

export type Rail = 'key' | 'x402';
export const rails: readonly Rail[] = ['key', 'x402'];

export interface Host {
  readonly controllers: Type[];
  readonly providers?: Provider[];
  readonly env?: Readonly<Record<string, string>>;
  readonly prepare?: (app: NestFastifyApplication) => unknown;
}

/** A gate for a host, and what a caller of each rail needs. */
export interface HostUnderTest {
  readonly ground: Ground;
  readonly gate: GateUnderTest;
  readonly payer: TestPayer;
  readonly secret: string;
  /** Headers of a fresh credential of the rail; the nonce is of a payment. */
  credential(rail: Rail): Promise<{ headers: Record<string, string>; nonce?: string }>;
  /** All that was ever charged: entries, units posted, and what has reached the till on the chain. */
  charges(): Promise<Charges>;
  close(): Promise<void>;
}

export interface Charges {
  readonly entries: number;
  readonly units: number;
  readonly transfers: number;
}

/** Opens a ground and a gate of this host's on it. */
export async function openHost(host: Host): Promise<HostUnderTest> {
  const ground = await openGround();
  const gate = await startGate(ground, host);
  const payer = await fundedPayer(ground.chain, 1);
  const { secret } = await gate.issueKey({ includedUnits: 100_000n });
  return {
    ground,
    gate,
    payer,
    secret,
    credential: async (rail) => {
      if (rail === 'key') return withKey(secret);
      const { v2, nonce } = await signPayment(ground, payer);
      return { headers: v2, nonce };
    },
    charges: async () => {
      const [row] = await rows<{ entries: number; units: number }>(
        ground.database.url,
        `select count(*)::int as entries, coalesce(sum(units) filter (where rail = 'key'), 0)::int as units
         from keyfare.entry where kind = 'call'`,
      );
      const till = await usdcBalance(ground.chain.rpcUrl, ground.payTo);
      return { entries: row?.entries ?? -1, units: row?.units ?? -1, transfers: Number(till / 1_000n) };
    },
    close: async () => {
      await gate.close();
      await ground.close();
    },
  };
}

/** One request; redirects are not followed. */
export async function wire(gate: { url: string }, path: string, init: RequestInit = {}): Promise<Wire> {
  const response = await fetch(`${gate.url}${path}`, { redirect: 'manual', ...init });
  const body = Buffer.from(await response.arrayBuffer());
  return {
    status: response.status,
    headers: response.headers,
    type: response.headers.get('content-type') ?? undefined,
    body,
  };
}

/** SHA-256 of a body in the form of RFC 9530, computed without the product's code. */
function digestOf(body: Buffer): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}

/** The receipt of an answer, from its header or by its id, verified. */
async function receiptOf(gate: GateUnderTest, { headers }: Wire): Promise<ReceiptPayload> {
  const jwks = parseJwks((await call(gate, '/.well-known/jwks.json')).body);
  const id = headers.get('receipt-id') ?? '';
  const jws = headers.get('keyfare-receipt') ?? (await (await fetch(`${gate.url}/receipts/${id}`)).text());
  const verdict = verifyReceipt(jws, jwks);
  if (!verdict.ok) throw new Error(`the receipt does not verify: ${verdict.detail}`);
  expect(verdict.payload.id).toBe(id);
  return verdict.payload;
}

/** Asserts that the receipt says what the wire said: status and the digest of the body. A receipt names no type. */
export async function expectReceiptIsWire(gate: GateUnderTest, answer: Wire): Promise<void> {
  const { status, responseDigest } = await receiptOf(gate, answer);
  expect({ status, responseDigest }).toEqual({ status: answer.status, responseDigest: digestOf(answer.body) });
}

/** Asserts what a served or refused call cost, over what was charged before it. */
export async function expectCharged(host: HostUnderTest, before: Charges, rail: Rail | 'nothing'): Promise<void> {
  const expected = {
    entries: before.entries + (rail === 'nothing' ? 0 : 1),
    units: before.units + (rail === 'key' ? 1 : 0),
    transfers: before.transfers + (rail === 'x402' ? 1 : 0),
  };
  await settled(async () => JSON.stringify(await host.charges()), JSON.stringify(expected));
  expect(await host.charges()).toEqual(expected);
}

/** Asserts a refusal of ours: a problem document without receipt, whose page exists. */
export async function expectProblem(gate: GateUnderTest, answer: Wire, code: string): Promise<void> {
  const problem = JSON.parse(answer.body.toString()) as { code?: string; type: string; status: number };
  expect([problem.code, answer.type?.split(';')[0], problem.status]).toEqual([
    code,
    'application/problem+json',
    answer.status,
  ]);
  for (const name of [
    'keyfare-receipt',
    'receipt-id',
    'set-cookie',
    'location',
    'etag',
    'content-encoding',
    'x-mine',
  ]) {
    expect([name, answer.headers.get(name)]).toEqual([name, null]);
  }
  const page = await fetch(new URL(problem.type, gate.url));
  expect(page.status).toBe(200);
}

/** Whether a payment is no longer claimed, so that it can buy another call. */
export async function expectFree(host: HostUnderTest, nonce: string): Promise<void> {
  const count = async () =>
    (await rows(host.ground.database.url, 'select 1 from keyfare.payment where nonce = $1', [nonce])).length;
  expect(await settled(count, 0)).toBe(0);
}

/** The bytes of one response, head and body, by a request that closes its connection. */
export async function rawBytes(gate: { url: string }, request: string): Promise<{ head: string; body: Buffer }> {
  const { port, hostname } = new URL(gate.url);
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(request));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks)));
    socket.on('error', reject);
  });
  const end = bytes.indexOf('\r\n\r\n') + 4;
  return { head: bytes.subarray(0, end).toString('latin1'), body: bytes.subarray(end) };
}
