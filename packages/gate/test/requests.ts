import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { parseJwks, type ReceiptPayload, verifyReceipt } from '@keyfare/core/receipt';
import { callRpc } from '@keyfare/devstack/chain';
import {
  type AuthorizationRequest,
  paymentHeaderV1,
  paymentHeaderV2,
  signAuthorization,
  type TestPayer,
  usdcRequirements,
} from '@keyfare/devstack/payers';
import { fundEth, usdcAbi, usdcAddress } from '@keyfare/devstack/usdc';
import { createWalletClient, http, parseSignature } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { baseSepolia } from 'viem/chains';
import type { GateUnderTest, Ground } from './gate-under-test.js';

/** A response, read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One request to a gate; the body comes back as the JSON it is. */
export async function call(gate: { url: string }, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${gate.url}${path}`, init);
  const text = await response.text();
  const body: unknown = text === '' ? {} : JSON.parse(text);
  return { status: response.status, headers: response.headers, body: body as Answer['body'] };
}

/** Headers that present a key. */
export function withKey(secret: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${secret}` } };
}

/** Headers that present a payment of `amount` (default the price of /ping) in version 2 and, apart, in version 1. */
export async function signPayment(
  ground: Ground,
  payer: TestPayer,
  request: Partial<Omit<AuthorizationRequest, 'payer'>> = {},
): Promise<{
  v2: Record<string, string>;
  v1: Record<string, string>;
  nonce: string;
  payload: Awaited<ReturnType<typeof signAuthorization>>;
}> {
  const payload = await signAuthorization({ payer, to: ground.payTo, value: 1_000n, ...request });
  const accepted = usdcRequirements(request.to ?? ground.payTo, request.value ?? 1_000n, request.domain);
  // The name under which the caller may fetch the stored answer: the payment alone proves nothing once it is on the
  // chain.
  const owner = { 'idempotency-key': `call-${payload.authorization.nonce}` };
  return {
    v2: { 'payment-signature': paymentHeaderV2({ payload, accepted }), ...owner },
    v1: { 'x-payment': paymentHeaderV1({ payload }), ...owner },
    nonce: payload.authorization.nonce,
    payload,
  };
}

/** What a base64 JSON header says. */
export function decodeHeader(headers: Headers, name: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(headers.get(name) ?? '', 'base64').toString()) as Record<string, unknown>;
}

/** The receipt of an answer, verified against the gate's published keys. */
export async function verifiedReceipt(gate: GateUnderTest, answer: Answer): Promise<ReceiptPayload> {
  const jwks = parseJwks((await call(gate, '/.well-known/jwks.json')).body);
  const verdict = verifyReceipt(answer.headers.get('keyfare-receipt') ?? '', jwks);
  if (!verdict.ok) throw new Error(`the receipt does not verify: ${verdict.detail}`);
  return verdict.payload;
}

/**
 * Sends a signed authorization to the chain from an account of its own, as anybody may. Answers the transaction, which
 * is mined.
 */
export async function submitAsStranger(
  ground: Ground,
  payload: Awaited<ReturnType<typeof signAuthorization>>,
): Promise<`0x${string}`> {
  const { rpcUrl } = ground.chain;
  const stranger = privateKeyToAccount(`0x${randomBytes(32).toString('hex')}`);
  await fundEth(rpcUrl, stranger.address);
  const { from, to, value, validAfter, validBefore, nonce } = payload.authorization;
  const { r, s, v } = parseSignature(payload.signature);
  const client = createWalletClient({ account: stranger, chain: baseSepolia, transport: http(rpcUrl) });
  const hash = await client.writeContract({
    address: usdcAddress,
    abi: usdcAbi,
    functionName: 'transferWithAuthorization',
    args: [from, to, BigInt(value), BigInt(validAfter), BigInt(validBefore), nonce, Number(v), r, s],
  });
  const isMined = async (): Promise<boolean> => (await callRpc(rpcUrl, 'eth_getTransactionReceipt', [hash])) !== null;
  await settled(isMined, true);
  return hash;
}

/** Sends bytes and reads what comes back until the connection ends. */
export async function raw(gate: { url: string }, text: string): Promise<string> {
  const { port, hostname } = new URL(gate.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

/** Rows of a query as the superuser. */
export { keptQuery as rows } from '@keyfare/devstack/postgres';

/** The value, as soon as it is what was expected; the last one seen when it does not become so in time. */
export async function settled<T>(read: () => Promise<T>, expected: T, timeoutMs = 60_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (value === expected || Date.now() > deadline) return value;
    await new Promise((wake) => setTimeout(wake, 20));
  }
}
