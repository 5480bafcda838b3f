import { parseArgs } from 'node:util';
import { HomeLocked, openHome } from '../home/index.js';
import { ensureCustomer } from './customer.js';
import { lastLines, type Stack, startStack } from './stack.js';
import { tellStory } from './story.js';

/** `npm start`: everything up, the story told, and then up until Ctrl-C. */
async function start(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean', default: false }, 'no-story': { type: 'boolean', default: false } },
  });
  // Who reads our output may go away; that must not keep us from stopping in good order.
  process.stdout.on('error', () => undefined);
  const startedMs = performance.now();
  let lastMs = startedMs;
  const say = (line: string, detail?: string): void => {
    const nowMs = performance.now();
    if (!values.json) {
      const took = `${String(Math.round(nowMs - lastMs)).padStart(6)} ms`;
      process.stdout.write(`${took}  ${line}${detail === undefined ? '' : ` → ${detail}`}\n`);
    }
    lastMs = nowMs;
  };
  const home = openHome();
  let stack: Stack | undefined;
  const stopped = whenAsked();
  try {
    stack = await startStack(home, say);
    const api = { url: stack.api, token: home.secrets.adminToken };
    const billing = { url: stack.billing, token: home.secrets.operatorToken };
    const customer = await ensureCustomer(home, api);
    if (!values['no-story']) await tellStory(stack, { customer, billing }, say);
    const ready = {
      api: stack.api,
      billing: stack.billing,
      rpc: stack.rpc,
      databaseUrl: stack.databases.ownerUrl,
      adminToken: api.token,
      operatorToken: billing.token,
      demoKey: customer.key,
      payer: stack.payer,
      payTo: stack.payTo,
      asset: stack.asset,
      network: 'eip155:84532',
    };
    process.stdout.write(
      values.json ? `${JSON.stringify(ready)}\n` : instructions(ready, performance.now() - startedMs),
    );
    const failed = await Promise.race([stopped, stack.failed]);
    if (failed !== undefined)
      throw new Error(`${failed} ended by itself. The end of its log:\n${lastLines(home, failed)}`);
  } finally {
    if (!values.json) process.stdout.write('stopping\n');
    await stack?.stop();
    home.release();
  }
}

/** Resolves at the first Ctrl-C or SIGTERM. Further ones change nothing: the stop is under way. */
async function whenAsked(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(undefined));
  });
}

interface Ready {
  readonly api: string;
  readonly billing: string;
  readonly rpc: string;
  readonly databaseUrl: string;
  readonly adminToken: string;
  readonly operatorToken: string;
  readonly demoKey: string;
  readonly payer: { readonly address: string; readonly privateKey: string };
  readonly payTo: string;
}

function instructions(ready: Ready, tookMs: number): string {
  const route = `${ready.api}/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21`;
  return `
ready after ${(tookMs / 1_000).toFixed(1)} s

  API       ${ready.api}      OpenAPI ${ready.api}/openapi.json
  billing   ${ready.billing}
  chain     ${ready.rpc}   (local, chain id 84532, test USDC)
  database  ${ready.databaseUrl}

  key       ${ready.demoKey}
  wallet    ${ready.payer.address}   private key ${ready.payer.privateKey} (local chain only)
  operator  API ${ready.adminToken}
            billing ${ready.operatorToken}

try

  # by key: 200, and a receipt in the header Keyfare-Receipt
  curl -i -H 'Authorization: Bearer ${ready.demoKey}' '${route}'

  # without one: 402, and the price in the header PAYMENT-REQUIRED and in the body
  curl -i '${route}'

  # what finance sees
  curl -H 'Authorization: Bearer ${ready.operatorToken}' '${ready.billing}/reports/revenue'

Ctrl-C stops everything.
`;
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
