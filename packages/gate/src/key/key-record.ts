import { type PlanTerms } from '@keyfare/core/metering';
import { money } from '@keyfare/core/money';
import { type Sql } from '@keyfare/db/sql';

export interface SecretRecord {
  readonly id: string;
  readonly hash: Buffer;
  readonly pepperId: string;
  readonly activatedAt: Date | null;
  readonly expiresAt: Date | null;
}

/** All that a call with the key needs to know, as one process remembers it. */
export interface KeyRecord {
  readonly id: string;
  readonly version: bigint;
  readonly environment: 'live' | 'test';
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly accountId: string;
  readonly suspended: boolean;
  readonly plan: PlanTerms;
  readonly secrets: readonly SecretRecord[];
}

interface KeyRow {
  id: string;
  version: string;
  environment: 'live' | 'test';
  scopes: string[];
  expires_at: Date | null;
  revoked_at: Date | null;
  account_id: string;
  status: string;
  plan_id: string;
  slug: string;
  plan_version: number;
  included_units: string;
  overage: 'reject' | 'invoice' | 'x402';
  overage_price: string;
  monthly_price: string;
  secrets: {
    id: string;
    hash: string;
    pepper_id: string;
    activated_at: string | null;
    expires_at: string | null;
  }[];
}

const selectKey = `
  select k.id, k.version, k.environment, k.scopes, k.expires_at, k.revoked_at, a.id as account_id, a.status,
    p.id as plan_id, p.slug, p.version as plan_version, p.included_units, p.overage, p.overage_price, p.monthly_price,
    (select coalesce(json_agg(json_build_object('id', s.id, 'hash', encode(s.hash, 'hex'), 'pepper_id', s.pepper_id,
      'activated_at', s.activated_at, 'expires_at', s.expires_at)), '[]')
     from keyfare.api_key_secret s where s.key_id = k.id) as secrets
  from keyfare.api_key k
  join keyfare.account a on a.id = k.account_id
  join keyfare.plan p on p.id = a.plan_id
  where k.id = $1`;

/** Reads a key with its secrets, account and plan in one statement. */
export async function readKey(sql: Sql, id: string): Promise<KeyRecord | undefined> {
  const [row] = await sql.query<KeyRow>({ name: 'keyfare_read_key', text: selectKey, values: [id] });
  return row === undefined ? undefined : toRecord(row);
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}

function toRecord(row: KeyRow): KeyRecord {
  return {
    id: row.id,
    version: BigInt(row.version),
    environment: row.environment,
    scopes: row.scopes,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    accountId: row.account_id,
    suspended: row.status !== 'active',
    plan: {
      planId: row.plan_id,
      slug: row.slug,
      version: row.plan_version,
      includedUnits: BigInt(row.included_units),
      overage: row.overage,
      overagePrice: money('USD', BigInt(row.overage_price)),
      monthlyPrice: money('USD', BigInt(row.monthly_price)),
    },
    secrets: row.secrets.map((secret) => ({
      id: secret.id,
      hash: Buffer.from(secret.hash, 'hex'),
      pepperId: secret.pepper_id,
      activatedAt: toDate(secret.activated_at),
      expiresAt: toDate(secret.expires_at),
    })),
  };
}
