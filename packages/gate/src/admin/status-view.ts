import { tokenCodes } from '@keyfare/core/money';
import { findNetwork, findToken } from '@keyfare/core/x402';
import { z } from 'zod';
import { partOf, readVersion } from '../operators.js';
import type { GateState, GateStatus } from '../services.js';

const time = z.iso.datetime();
const timeOrNull = time.nullable();
const atomic = z.string();
const inToken = { network: z.string(), token: z.string(), asset: z.enum(tokenCodes).nullable() };

/** How the API is. What cannot be asked, or not within two seconds, is `unavailable`, and nothing else for it. */
export const statusView = z
  .object({
    at: time,
    process: z.object({
      version: z.string(),
      startedAt: time,
      uptimeSeconds: z.int(),
      replica: z.string().meta({ description: 'The name of the process that answers, in the tables.' }),
      listening: z.boolean().meta({ description: 'Whether it hears at once what others change.' }),
    }),
    database: partOf({ replicas: z.int().meta({ description: 'Processes that live.' }) }),
    networks: z.array(
      z.object({
        network: z.string(),
        name: z.string(),
        payTo: z.string(),
        node: partOf({
          block: z.string(),
          blockAt: time,
          delayMs: z.int(),
          gasPrice: atomic.meta({ description: 'Wei that the next block asks for one gas, with a tip.' }),
        }),
        gasPriceCeiling: atomic.nullable().meta({ description: 'Wei; null: there is none.' }),
        aboveCeiling: z.boolean().nullable().meta({ description: 'Null while the node does not answer.' }),
        settler: z.object({
          address: z.string(),
          balance: atomic.nullable().meta({ description: 'Wei; null for what was not known for a minute.' }),
          funds: z.enum(['ok', 'low', 'empty']).nullable(),
          settlementsLeft: z.int().nullable(),
          refused: z.boolean().meta({ description: 'The node refuses a transaction of it.' }),
          nextNonce: z.string().nullable().meta({ description: 'Of its next transaction.' }),
          minedNonce: z.string().nullable().meta({ description: 'So many of its transactions are in blocks.' }),
          queued: z.int().meta({ description: 'Of the process that answers, as what follows.' }),
          underWay: z.int(),
          oldestSeconds: z.number(),
          toCollect: z.int(),
          lastMinedAt: timeOrNull,
        }),
      }),
    ),
    payments: partOf({
      open: z.array(
        z.object({ ...inToken, state: z.string(), count: z.int(), amount: atomic, oldestSeconds: z.number() }),
      ),
    }).meta({ description: 'Those that have not come to their end; 100,000 of them at most.' }),
    exposure: partOf({
      totals: z.array(z.object({ ...inToken, open: atomic, limit: atomic.nullable() })),
      payers: z
        .array(z.object({ ...inToken, payer: z.string(), open: atomic, limit: atomic.nullable() }))
        .meta({ description: 'The twenty who have the most open.' }),
    }),
    breaker: z
      .object({
        open: z.boolean(),
        until: timeOrNull,
        payers: z.int(),
        refused: z.array(z.object({ payer: z.string(), until: time })),
      })
      .meta({ description: 'Whom the process that answers refuses because of reverts.' }),
    sequencer: partOf({
      leader: z.string().nullable(),
      isThisProcess: z.boolean(),
      lastPlace: z.string(),
      asOf: time.meta({ description: 'Every entry of before has its place.' }),
      delayMs: z.int(),
      unplaced: z.int().nullable(),
    }),
    blockedPayers: partOf({
      count: z.int(),
      latest: z.array(z.object({ payer: z.string(), reason: z.string(), blockedAt: time })),
    }),
  })
  .meta({ id: 'GateStatus' });

export type StatusView = z.infer<typeof statusView>;

const version = readVersion(new URL('../../../package.json', import.meta.url));

export function viewStatus(found: GateState, status: GateStatus, now: Date): StatusView {
  const { database, books, breaker } = found;
  const unavailable = database.state === 'unavailable' ? database : null;
  const startedAt = new Date(now.getTime() - process.uptime() * 1_000);
  return {
    at: now.toISOString(),
    process: {
      version,
      startedAt: startedAt.toISOString(),
      uptimeSeconds: Math.floor(process.uptime()),
      replica: found.replica,
      listening: found.isListening,
    },
    database: unavailable ?? { state: 'available', replicas: known(database).replicas },
    networks: found.networks.map((one) => viewNetwork(one, found, now)),
    payments:
      books === undefined
        ? (unavailable ?? { state: 'unavailable', reason: 'late' })
        : {
            state: 'available',
            open: books.payments.map(({ network, asset: token, state, count, amount, oldestSeconds }) => {
              return { network, token, asset: codeOf(network, token), state, count, amount, oldestSeconds };
            }),
          },
    exposure: unavailable ?? viewExposure(known(database), status),
    breaker: {
      open: breaker.isOpen,
      until: breaker.isOpen ? after(now, breaker.openMs) : null,
      payers: breaker.openPayers,
      refused: found.refusedPayers.map(({ payer, openMs }) => ({ payer, until: after(now, openMs) })),
    },
    sequencer: unavailable ?? viewSequencer(known(database), found),
    blockedPayers: unavailable ?? {
      state: 'available',
      count: known(database).blockedCount,
      latest: known(database).blocked.map(({ payer, reason, blocked_at: at }) => ({
        payer,
        reason,
        blockedAt: at.toISOString(),
      })),
    },
  };
}

type Database = Extract<GateState['database'], { state: 'available' }>;

function known(database: GateState['database']): Database {
  if (database.state === 'unavailable') throw new TypeError('the database is unavailable');
  return database;
}

function viewNetwork(
  { access, node, gas }: GateState['networks'][number],
  { settlers, database }: GateState,
  now: Date,
): StatusView['networks'][number] {
  const { network, payTo, maxFeePerGas } = access.settings;
  const { address } = access.wallet;
  const settler = settlers.find((one) => one.network === network.caip2);
  const nonce =
    database.state === 'unavailable'
      ? undefined
      : database.nonces.find((one) => one.network === network.caip2 && one.address === address);
  return {
    network: network.caip2,
    name: network.name,
    payTo,
    node:
      node.state === 'unavailable'
        ? node
        : {
            state: 'available',
            block: node.block.toString(),
            blockAt: node.blockAt.toISOString(),
            delayMs: Math.max(0, now.getTime() - node.blockAt.getTime()),
            gasPrice: node.gasPrice.toString(),
          },
    gasPriceCeiling: maxFeePerGas === 0n ? null : maxFeePerGas.toString(),
    aboveCeiling: node.state === 'unavailable' ? null : maxFeePerGas !== 0n && node.gasPrice > maxFeePerGas,
    settler: {
      address,
      balance: gas?.wei.toString() ?? null,
      funds: gas?.funds ?? null,
      settlementsLeft: gas?.settlementsLeft ?? null,
      refused: settler?.refused ?? false,
      nextNonce: nonce?.next_nonce ?? null,
      minedNonce: node.state === 'unavailable' ? null : node.walletNonce.toString(),
      queued: settler?.queued ?? 0,
      underWay: settler?.underWay ?? 0,
      oldestSeconds: settler?.oldestSeconds ?? 0,
      toCollect: settler?.collectable.count ?? 0,
      lastMinedAt: settler?.lastMinedAt?.toISOString() ?? null,
    },
  };
}

function viewExposure({ totals, payers }: Database, status: GateStatus): StatusView['exposure'] {
  const limits = (network: string, asset: string): ReturnType<GateStatus['limitsOf']> => {
    const found = findNetwork(network);
    return found === null ? { total: null, perPayer: null } : status.limitsOf(found, asset);
  };
  return {
    state: 'available',
    totals: totals.map(({ network, asset: token, open }) => {
      const limit = limits(network, token).total?.toString() ?? null;
      return { network, token, asset: codeOf(network, token), open, limit };
    }),
    payers: payers.map(({ network, asset: token, payer, open }) => {
      const limit = limits(network, token).perPayer?.toString() ?? null;
      return { network, token, asset: codeOf(network, token), payer, open, limit };
    }),
  };
}

function viewSequencer({ sequencer }: Database, { replica, books }: GateState): StatusView['sequencer'] {
  if (sequencer === null) return { state: 'unavailable', reason: 'failed' };
  const { holder: leader } = sequencer;
  return {
    state: 'available',
    leader,
    isThisProcess: leader === replica,
    lastPlace: sequencer.last_place,
    asOf: sequencer.as_of.toISOString(),
    delayMs: Math.round(sequencer.delay_ms),
    unplaced: books?.unplaced ?? null,
  };
}

function codeOf(network: string, token: string): (typeof tokenCodes)[number] | null {
  const found = findNetwork(network);
  return found === null ? null : (findToken(found, token)?.symbol ?? null);
}

function after(now: Date, ms: number): string {
  return new Date(now.getTime() + ms).toISOString();
}
