import { tokenCodes } from '@keyfare/core/money';
import { partOf } from '@keyfare/gate/operators';
import { z } from 'zod';
import { severities } from '../reconcile/kinds.js';

const time = z.iso.datetime();
const timeOrNull = time.nullable();

/** How billing is. A part whose source does not answer within two seconds is `unavailable`, and no other for it. */
export const statusView = z
  .object({
    at: time,
    process: z.object({ version: z.string(), startedAt: time, uptimeSeconds: z.int() }),
    log: partOf({
      place: z.string().meta({ description: 'Of the entry that was read last.' }),
      completeAsOf: timeOrNull.meta({ description: 'Every entry of before is in the books.' }),
      delayMs: z.int(),
      stalledSince: timeOrNull,
    }),
    feed: partOf({
      head: z.string().meta({ description: 'The last place of the log.' }),
      unread: z.string(),
    }),
    node: partOf({ block: z.string() }),
    chain: partOf({
      wallets: z.array(
        z.object({
          network: z.string(),
          token: z.string(),
          asset: z.enum(tokenCodes).nullable(),
          wallet: z.string(),
          block: z.string().meta({ description: 'The last one that was read.' }),
          head: z.string().meta({ description: 'The newest that was seen.' }),
          finalized: z.string(),
          completeAsOf: timeOrNull,
          delayMs: z.int().nullable(),
          doubt: z.string().nullable().meta({ description: 'How the node contradicts what was read.' }),
          doubtedSince: timeOrNull,
        }),
      ),
      standstills: z.array(z.object({ class: z.string(), subject: z.string(), since: time, detail: z.string() })),
    }),
    receiptKeys: partOf({ keys: z.array(z.object({ id: z.string(), firstSeenAt: time })) }),
    reconciliation: partOf({
      last: z.object({ id: z.string(), trigger: z.string(), finishedAt: time, ageSeconds: z.int() }).nullable(),
      underWay: z.object({ id: z.string(), scope: z.string(), state: z.string(), requestedAt: time }).nullable(),
      openBreaks: z.record(z.enum(severities), z.int()),
    }),
    jobs: partOf({
      queues: z.array(
        z.object({
          name: z.string(),
          waiting: z.int(),
          runningSince: timeOrNull,
          /** Of one that failed and is tried again. */
          retryAt: timeOrNull,
          nextAt: time,
          lastDoneAt: timeOrNull,
          lastFailedAt: timeOrNull,
          /** Of those that are kept, which is some days. */
          failed: z.int(),
          lastError: z.string().nullable(),
        }),
      ),
    }),
    loops: z.array(
      z.object({
        name: z.string(),
        lastDoneAt: timeOrNull.meta({ description: 'In the process that answers.' }),
        failures: z.int().meta({ description: 'One after the other, up to now.' }),
      }),
    ),
  })
  .meta({ id: 'BillingStatus' });

export type StatusView = z.infer<typeof statusView>;
