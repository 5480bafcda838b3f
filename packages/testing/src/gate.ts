import type { ReceiptPayload } from '@keyfare/core/receipt';
import { choosePort } from '@keyfare/devstack/ports';
import type { GateOptions } from '@keyfare/gate/module';
import { privateKeyToAddress } from 'viem/accounts';
import { type ListeningApplication, type ListenOptions, type RootModule, startApplication } from './application.js';
import { startTestChain, type TestChain } from './chain/index.js';
import { type TestClock, testClock } from './clock.js';
import { type Entry, readEntries } from './entries.js';
import { type IssuedTestKey, issueKey, type KeyOptions, unitsLeft } from './key.js';
import { openPayer, type Payer, type PayerOptions } from './payer.js';
import { createGateDatabase } from './postgres/index.js';
import { readVerifiedReceipt } from './receipt.js';
import { makeSettings, overrideWith } from './settings.js';
import { untilKnown } from './until-known.js';

export type { ListeningApplication, ListenOptions, RootModule } from './application.js';
export type { TestChain } from './chain/index.js';
export type { TestClock } from './clock.js';
export type { Entry } from './entries.js';
export type { IssuedTestKey, KeyOptions } from './key.js';
export type { Payer, PayerOptions, SignedPayment } from './payer.js';

/** What to start. */
export interface TestGateOptions {
  /** Name or CAIP-2 identifier of the network that the chain plays. @default 'base-sepolia' */
  readonly network?: string;
  /** How long a caller waits for a chain that hangs, before its 503. @default 2_000 */
  readonly settleTimeoutMs?: number;
}

/** What a gate stands on in a test, and the callers around it. */
export interface TestGate {
  /** Every setting that a gate needs, for a program of its own: `spawn('node', ['main.js'], { env: gate.env })`. */
  readonly env: Readonly<Record<string, string>>;
  /** The same as options of `GateModule`. `listen` needs neither. */
  readonly options: GateOptions;
  /** As a superuser: what is in it may be read and broken. */
  readonly databaseUrl: string;
  readonly chain: TestChain;
  readonly clock: TestClock;
  /** A wallet with 100 USDC. */
  readonly payer: Payer;
  /** Another wallet, by default with as much. */
  newPayer(options?: PayerOptions): Payer;
  /**
   * Runs an application whose module imports `GateModule`, at a free port of 127.0.0.1. Whatever the module and the
   * environment say of databases, nodes and secrets, its gate takes those of the test. Call it again for another
   * process of the same service.
   */
  listen(root: RootModule, options?: ListenOptions): Promise<ListeningApplication>;
  /** An account with a plan and a key of its own. Needs an application that listens, and goes through its services. */
  issueKey(options?: KeyOptions): Promise<IssuedTestKey>;
  /** Units left of the key's month, by the clock; null where the plan has no limit. */
  unitsLeft(key: IssuedTestKey): Promise<bigint | null>;
  /** What was booked, in its order: calls, terms and what became of payments. */
  entries(): Promise<readonly Entry[]>;
  /** What the receipt of a response says. Rejects when it is not the gate's receipt of this status and this body. */
  expectReceipt(response: Response): Promise<ReceiptPayload>;
  /**
   * Repeats a request while its outcome is not known yet (409 and 503), and answers the first other response. Rejects
   * after half a minute, with what the last one said.
   */
  untilKnown(ask: () => Promise<Response>): Promise<Response>;
  /** Closes what listens, and drops the database. */
  stop(): Promise<void>;
}

/**
 * Starts what a gate needs: a database of its own on an embedded PostgreSQL, a chain that obeys, secrets, a clock, a
 * payer. Takes a second or two, and some more the first time on a machine. Any number of test files may do so at once.
 *
 * @example
 * const gate = await startTestGate();
 * const { url } = await gate.listen(AppModule);
 *
 * expect((await fetch(`${url}/forecast`)).status).toBe(402);
 * expect((await gate.payer.fetch(`${url}/forecast`)).status).toBe(200);
 */
export async function startTestGate({ network, settleTimeoutMs = 2_000 }: TestGateOptions = {}): Promise<TestGate> {
  const clock = testClock();
  const chain = await startTestChain({ clock, ...(network === undefined ? {} : { network }) });
  const database = await createGateDatabase().catch(async (error: unknown) => {
    await chain.close();
    throw error;
  });
  const env = makeSettings({ databaseEnv: database.env, chain, settleTimeoutMs });
  chain.setEther(privateKeyToAddress(env.SETTLER_PRIVATE_KEY), 10n ** 18n);
  const override = overrideWith(env, clock);
  const running: ListeningApplication[] = [];
  const any = (): ListeningApplication => {
    const [first] = running;
    if (first === undefined) throw new Error('no application of this gate listens: await gate.listen(AppModule) first');
    return first;
  };
  return {
    env,
    options: { env, clock },
    databaseUrl: database.url,
    chain,
    clock,
    payer: openPayer(chain, clock),
    newPayer: (options) => openPayer(chain, clock, options),
    listen: async (root, options = {}) => {
      const started = await startApplication({ root, options, env, override, port: await choosePort() });
      const listening: ListeningApplication = {
        ...started,
        close: async () => {
          const at = running.indexOf(listening);
          if (at >= 0) running.splice(at, 1);
          await started.app.close();
        },
      };
      running.push(listening);
      return listening;
    },
    issueKey: async (options = {}) => issueKey(any(), options),
    unitsLeft: async (key) => unitsLeft(any().app, key),
    entries: async () => readEntries(database.url),
    expectReceipt: async (response) => readVerifiedReceipt(response, any().url),
    untilKnown,
    stop: async () => {
      await Promise.all([...running].map(async ({ close }) => close()));
      await chain.close();
      await database.drop();
    },
  };
}
