import { type Sql } from '@keyfare/db/sql';

export interface SecretRecord {
  readonly id: string;
  readonly hash: Buffer;
  readonly pepperId: string;
  readonly activatedAt: Date | null;
  readonly expiresAt: Date | null;
}

/** What proves a key, as one process remembers it. The account's terms are another room's. */
export interface KeyRecord {
  readonly id: string;
  readonly version: bigint;
  readonly environment: 'live' | 'test';
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly accountId: string;
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
  secrets: {
    id: string;
    hash: string;
    pepper_id: string;
    activated_at: string | null;
    expires_at: string | null;
  }[];
}

const selectKeys = `
  select k.id, k.version, k.environment, k.scopes, k.expires_at, k.revoked_at, k.account_id,
    (select coalesce(json_agg(json_build_object('id', s.id, 'hash', encode(s.hash, 'hex'), 'pepper_id', s.pepper_id,
      'activated_at', s.activated_at, 'expires_at', s.expires_at)), '[]')
     from keyfare.api_key_secret s where s.key_id = k.id) as secrets
  from keyfare.api_key k where k.id = any($1::text[])`;

/** Reads keys with their secrets in one statement; undefined for an id that is nobody's. */
export async function readKeys(sql: Sql, ids: readonly string[]): Promise<readonly (KeyRecord | undefined)[]> {
  const rows = await sql.query<KeyRow>({ name: 'keyfare_read_keys', text: selectKeys, values: [ids] });
  const byId = new Map(rows.map((row) => [row.id, toRecord(row)]));
  return ids.map((id) => byId.get(id));
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
    secrets: row.secrets.map((secret) => ({
      id: secret.id,
      hash: Buffer.from(secret.hash, 'hex'),
      pepperId: secret.pepper_id,
      activatedAt: toDate(secret.activated_at),
      expiresAt: toDate(secret.expires_at),
    })),
  };
}
