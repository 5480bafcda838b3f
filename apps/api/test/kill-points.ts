import { openProxy } from '@keyfare/fixtures/proxy';
import { type Api, type Ground, startApi } from './api-process.js';
import { openKillWire, type SqlPoint } from './kill-wire.js';

/** The flows of a payment. */
export type Flow = 'authorization' | 'upfront' | 'deferred';

/** A boundary of a payment's states, at which the process that works on it dies. */
export interface KillPoint {
  readonly name: string;
  readonly flow: Flow;
  readonly at: SqlPoint | { readonly broadcast: 'before' | 'after' };
}

const claim: SqlPoint = { texts: ['keyfare_claim_payments'], when: 'after' };
// In the other flows the answer goes with the post.
const answer: SqlPoint = { texts: ['keyfare_store_answers'], when: 'after' };
const storing: SqlPoint = { texts: ['keyfare_store_settlements'], when: 'before' };
const stored: SqlPoint = { texts: ['keyfare_store_settlements', 'commit'], when: 'after' };
// The rows of a batch that end at the same moment are posted in one statement.
const settlement = `digest, 'settlement'`;
const sql = (text: string, when: SqlPoint['when']): SqlPoint => ({ texts: [text], when });

const points = (flow: Flow, at: Readonly<Record<string, KillPoint['at']>>): readonly KillPoint[] =>
  Object.entries(at).map(([name, point]) => ({ name, flow, at: point }));

/** Every boundary of every flow. */
export const killPoints: readonly KillPoint[] = [
  ...points('authorization', {
    'after the claim': claim,
    'after its answer was stored': answer,
    'before its transaction is stored': storing,
    'after its transaction was stored': stored,
    'before the broadcast': { broadcast: 'before' },
    'after the broadcast': { broadcast: 'after' },
    'before the post': sql('keyfare_post_paid_calls', 'before'),
    'after the post': sql('keyfare_post_paid_calls', 'after'),
  }),
  ...points('upfront', {
    'after the claim': claim,
    'after its transaction was stored': stored,
    'before the broadcast': { broadcast: 'before' },
    'after the broadcast': { broadcast: 'after' },
    'before it is noted that it moved': sql('keyfare_end_settled', 'before'),
    'after it was noted that it moved': sql('keyfare_end_settled', 'after'),
    'before the post': sql('keyfare_post_upfront_calls', 'before'),
    'after the post': sql('keyfare_post_upfront_calls', 'after'),
  }),
  ...points('deferred', {
    'after the claim': claim,
    'before the post': sql('keyfare_post_deferred_calls', 'before'),
    'after the post': sql('keyfare_post_deferred_calls', 'after'),
    'before its batch is stored': storing,
    'after its batch was stored': stored,
    'before the broadcast': { broadcast: 'before' },
    'after the broadcast': { broadcast: 'after' },
    'before the rows of its batch are posted': sql(settlement, 'before'),
    'after the first rows of its batch were posted': sql(settlement, 'after'),
  }),
];

/** A process that dies at a point. */
export interface Victim {
  readonly api: Api;
  /** Resolves when it has died. */
  readonly died: Promise<void>;
  close(): Promise<void>;
}

/** Starts a process of `main` and kills it (SIGKILL) when it comes to that point the first time. */
export async function startVictim(
  ground: Ground,
  point: KillPoint,
  { main, env }: { readonly main: string; readonly env: Readonly<Record<string, string>> },
): Promise<Victim> {
  const database = new URL(ground.database.url);
  const wire = await openKillWire(Number(database.port));
  database.hostname = '127.0.0.1';
  database.port = String(wire.port);
  const node = await openProxy(ground.chain.rpcUrl);
  const api = await startApi(
    ground,
    { ...env, DATABASE_URL: database.href, MIGRATION_DATABASE_URL: ground.database.url, RPC_URL: node.url },
    main,
  );
  const kill = (): void => void process.kill(api.service.pid, 'SIGKILL');
  const { at } = point;
  if ('texts' in at) wire.arm(at, kill);
  else if (at.broadcast === 'before') {
    node.answer = ({ method }) => {
      if (method !== 'eth_sendRawTransaction') return undefined;
      node.answer = () => ({ error: { code: -32_000, message: 'the caller is dead' } });
      kill();
      return { error: { code: -32_000, message: 'the caller is dead' } };
    };
  } else {
    node.rewrite = (answers) => {
      if (node.batches.at(-1)?.some(({ method }) => method === 'eth_sendRawTransaction') !== true) return answers;
      node.rewrite = (rest) => rest;
      kill();
      return answers;
    };
  }
  const died = within(api.service.ended, `the process never came to ${point.flow}: ${point.name}`);
  died.catch(() => undefined);
  return {
    api,
    died,
    close: async () => {
      await api.service.stop();
      await Promise.all([wire.close(), node.close()]);
    },
  };
}

async function within(work: Promise<unknown>, fault: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(fault)), 60_000);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
