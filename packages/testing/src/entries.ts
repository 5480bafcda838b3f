import { adminQuery } from '@keyfare/devstack/postgres';

/** One entry of the log, as it was signed. */
export interface Entry {
  readonly id: string;
  /** `call`, `terms`, and what becomes of payments later. */
  readonly kind: string;
  /** Of a call: `key`, `x402` or `free`. */
  readonly rail: string | null;
  /** The account, or the wallet. */
  readonly principal: string;
  readonly sku: string | null;
  readonly units: bigint | null;
  /** What was signed; null once it was erased. */
  readonly payload: Readonly<Record<string, unknown>> | null;
}

interface EntryRow {
  readonly id: string;
  readonly kind: string;
  readonly rail: string | null;
  readonly principal: string;
  readonly sku: string | null;
  readonly units: string | null;
  readonly payload: Buffer | null;
}

/** Everything in the log, in the order of ids, which is that of the clock. */
export async function readEntries(databaseUrl: string): Promise<readonly Entry[]> {
  const text = 'select id, kind, rail, principal, sku, units, payload from keyfare.entry order by id';
  const rows = await adminQuery<EntryRow>(databaseUrl, text);
  return rows.map(({ id, kind, rail, principal, sku, units, payload }) => ({
    id,
    kind,
    rail,
    principal,
    sku,
    units: units === null ? null : BigInt(units),
    payload: payload === null ? null : (JSON.parse(payload.toString('utf8')) as Record<string, unknown>),
  }));
}
