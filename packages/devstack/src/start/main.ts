import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { type Home, HomeLocked, openHome } from '../home/index.js';
import { ensureCustomer } from './customer.js';
import { consoleAddress, ensureOperator } from './operator.js';
import { signPayment } from './payment.js';
import { lastLines, type Stack, startStack } from './stack.js';
import { demoPath, tellStory } from './story.js';
import type { Tell } from './tell.js';

/** `npm start`: everything up, the story told, and then up until Ctrl-C. */
async function start(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean', default: false }, 'no-story': { type: 'boolean', default: false } },
  });
  // Who reads our output may go away; that must not keep us from stopping in good order.
  process.stdout.on('error', () => undefined);
  const startedMs = performance.now();
  const asked = whenAsked();
  const say = narrator({ quiet: values.json, signal: asked });
  const home = openHome();
  let stack: Stack | undefined;
  try {
    stack = await startStack(home, say);
    const ready = await prepare(home, stack, { story: !values['no-story'], say });
    const tookMs = performance.now() - startedMs;
    const text = values.json ? JSON.stringify(ready) : instructions(ready, await signPayment(stack), tookMs);
    process.stdout.write(`${text}\n`);
    const failed = await Promise.race([aborted(asked), stack.failed]);
    if (failed !== undefined) throw new Error(`${failed} ended by itself.${lastLines(home, failed)}`);
  } catch (error) {
    // Whatever was under way when Ctrl-C came, it was broken off on purpose.
    if (!asked.aborted) throw error;
  } finally {
    if (!values.json) process.stdout.write('stopping\n');
    await stack?.stop();
    home.release();
  }
}

async function prepare(
  home: Home,
  stack: Stack,
  { story, say }: { readonly story: boolean; readonly say: Tell },
): Promise<Ready> {
  const adminToken = await ensureOperator(home, stack);
  const customer = await ensureCustomer(home, { url: stack.api, token: adminToken });
  if (story) await tellStory(stack, { customer, billing: { url: stack.billing, token: adminToken } }, say);
  return {
    api: stack.api,
    billing: stack.billing,
    console: await consoleAddress({ url: stack.api, token: adminToken }, stack.billing),
    rpc: stack.rpc,
    databaseUrl: stack.databases.ownerUrl,
    adminToken,
    demoKey: customer.key,
    payer: stack.payer,
    payTo: stack.payTo,
    asset: stack.asset,
    network: 'eip155:84532',
  };
}

/** Says each step with what it took. After Ctrl-C the next step throws, so that a start under way ends there. */
function narrator({ quiet, signal }: { readonly quiet: boolean; readonly signal: AbortSignal }): Tell {
  let lastMs = performance.now();
  return (line, detail) => {
    signal.throwIfAborted();
    const nowMs = performance.now();
    const took = `${String(Math.round(nowMs - lastMs)).padStart(6)} ms`;
    if (!quiet) process.stdout.write(`${took}  ${line}${detail === undefined ? '' : ` → ${detail}`}\n`);
    lastMs = nowMs;
  };
}

/** Aborted by the first Ctrl-C or SIGTERM. Further ones change nothing: the stop is under way. */
function whenAsked(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort());
  return controller.signal;
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort');
  return undefined;
}

/** What is printed when all is up, and as one line of JSON with `--json`. */
interface Ready {
  readonly api: string;
  readonly billing: string;
  /** Signs the owner in, once. */
  readonly console: string;
  readonly rpc: string;
  readonly databaseUrl: string;
  readonly adminToken: string;
  readonly demoKey: string;
  readonly payer: { readonly address: string; readonly privateKey: string };
  readonly payTo: string;
  readonly asset: string;
  readonly network: string;
}

function instructions(ready: Ready, payment: string, tookMs: number): string {
  const route = `${ready.api}${demoPath}`;
  return `
ready after ${(tookMs / 1_000).toFixed(1)} s

  API       ${ready.api}      OpenAPI ${ready.api}/openapi.json
  billing   ${ready.billing}
  console   ${ready.console}   (signs you in, once and for a quarter of an hour)
  chain     ${ready.rpc}   (local, chain id 84532, test USDC)
  database  ${ready.databaseUrl}

  key       ${ready.demoKey}
  wallet    ${ready.payer.address}   private key ${ready.payer.privateKey} (local chain only)
  operator  ${ready.adminToken}   (of the API and of billing)

try

  # by key: 200, and a receipt in the header Keyfare-Receipt
  curl -i -H 'Authorization: Bearer ${ready.demoKey}' '${route}'

  # without one: 402, and the price in the header PAYMENT-REQUIRED and in the body
  curl -i '${route}'

  # with a payment that the wallet signed just now, good for an hour: 200. Again: the same answer, and nothing is charged
  curl -i -H 'Idempotency-Key: ${randomUUID()}' -H 'PAYMENT-SIGNATURE: ${payment}' '${route}'

  # what finance sees
  curl -H 'Authorization: Bearer ${ready.adminToken}' '${ready.billing}/reports/revenue'

  # the same from a terminal: docs/cli.md
  KEYFARE_BILLING_URL=${ready.billing} KEYFARE_OPERATOR_TOKEN=${ready.adminToken} npx keyfare reconcile

Ctrl-C stops everything.`;
}

/** The start as a program: one line for what is wrong, and the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await start(args);
    return 0;
  } catch (error) {
    const expected = error instanceof HomeLocked;
    process.stderr.write(`${expected || !(error instanceof Error) ? String(error) : (error.stack ?? error.message)}\n`);
    return 1;
  }
}
