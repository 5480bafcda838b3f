import type { EntryPayloads } from '@keyfare/core/log';
import type { X402Receipt } from '@keyfare/core/receipt';
import { monthOf, unixSeconds } from '@keyfare/core/time';
import { rows, texts } from '@keyfare/db/rows';
import { SqlPool } from '@keyfare/db/sql';
import {
  appendEntries,
  appendEntry,
  type CallUsage,
  type EntryItem,
  entryColumns,
  loneEntry,
  newExchangeId,
  usageColumns,
} from '@keyfare/gate/log';
import { ReceiptService } from '@keyfare/gate/services';
import type { Hex } from 'viem';
import { domains } from './chain.js';
import type { Stage } from './player.js';
import type { Asset } from './schedule.js';

/** Writes entries that tell of what never was, as who holds the signing key and may append to the log can do. */
export interface Forger {
  /** A call by key that no gate has served. Answers its id. */
  keyCall(accountId: string, at: Date): Promise<string>;
  /** A call that says it was paid. */
  paidCall(payment: ForgedPayment, at: Date): Promise<string>;
  /** The settlement of a call that there is not. */
  settlement(payment: ForgedPayment, at: Date): Promise<string>;
  close(): Promise<void>;
}

export interface ForgedPayment {
  readonly payer: string;
  readonly nonce: Hex;
  readonly amount: bigint;
  readonly asset: Asset;
  readonly transaction: Hex;
}

interface ForgedCall extends EntryItem, CallUsage {
  readonly principal: string;
  readonly rail: string;
}

const callRows = rows<ForgedCall>({
  ...entryColumns<ForgedCall>(),
  ...usageColumns<ForgedCall>(),
  principal: texts((item) => item.principal),
  rail: texts((item) => item.rail),
});
const appendCall = `with ${appendEntries(callRows.source(), {
  kind: `'call'`,
  principal: 'principal',
  rail: 'rail',
  key_id: 'key_id',
  sku: 'sku',
  units: 'units',
  period_start: 'period_start',
  occurred_at: 'occurred_at',
})} select 1`;

/** SHA-256 of nothing (RFC 9530). */
const responseDigest = 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:';
const resourceUrl = 'http://localhost:3000/forecast';

/** What the receipt of any call says. */
const served = (id: string, at: Date) => ({
  version: 1 as const,
  id,
  sku: 'forecast',
  method: 'GET',
  resourceUrl,
  status: 200,
  units: 1,
  responseDigest,
  issuedAt: unixSeconds(at),
});

export function openForger({ gate, ground, superuserUrl }: Stage): Forger {
  const sql = new SqlPool({ url: superuserUrl, applicationName: 'keyfare-seed', poolSize: 1 });
  const receipts = gate.app.get(ReceiptService);
  const moved = ({ payer, nonce, amount, asset }: ForgedPayment) => ({
    network: 'eip155:84532',
    payer: payer.toLowerCase(),
    payTo: ground.secrets.payTo.toLowerCase(),
    asset: domains[asset].verifyingContract.toLowerCase(),
    nonce,
    amount: amount.toString(),
  });
  const append = async (
    payload: EntryPayloads['call'],
    call: { principal: string; rail: string; keyId: string | null; at: Date },
  ) => {
    const { principal, rail, keyId, at } = call;
    const signed = receipts.sign('call', payload, at);
    const usage = { keyId, sku: 'forecast', units: 1n, periodStart: monthOf(at).start, occurredAt: at };
    await sql.query({
      text: appendCall,
      values: callRows.values([{ ...signed, ...usage, id: payload.id, principal, rail }]),
    });
    return payload.id;
  };
  return {
    keyCall: async (accountId, at) => {
      const id = newExchangeId(at);
      await append(
        { ...served(id, at), rail: 'key', principal: accountId },
        { principal: accountId, rail: 'key', keyId: 'forged', at },
      );
      // Its counter too, as who forges a call would.
      await sql.query({
        text: `insert into keyfare.allowance (account_id, period_start, used) values ($1, $2, 1)
          on conflict (account_id, period_start) do update set used = allowance.used + 1`,
        values: [accountId, monthOf(at).start],
      });
      return id;
    },
    paidCall: async (payment, at) => {
      const money = moved(payment);
      const payload: X402Receipt = {
        ...served(newExchangeId(at), at),
        rail: 'x402',
        principal: money.payer,
        ...money,
        decimals: 6,
        transaction: payment.transaction,
        settlement: 'settled',
      };
      return append(payload, { principal: money.payer, rail: 'x402', keyId: null, at });
    },
    settlement: async (payment, at) => {
      const id = newExchangeId(at);
      const money = { version: 1 as const, id, ...moved(payment), issuedAt: unixSeconds(at) };
      const signed = receipts.sign(
        'settlement',
        { ...money, call: newExchangeId(at), transaction: payment.transaction },
        at,
      );
      await sql.query({
        text: appendEntry,
        values: loneEntry.values([{ ...signed, id, kind: 'settlement', principal: money.payer }]),
      });
      return id;
    },
    close: async () => sql.close(),
  };
}
