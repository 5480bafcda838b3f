/** A key as an operator sees it: everything but the secret. */
export interface KeySummary {
  readonly id: string;
  readonly accountId: string;
  readonly environment: 'live' | 'test';
  readonly name: string;
  /** None: the key may buy everything. */
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** As of a minute ago. */
  readonly lastUsedAt: Date | null;
  readonly secrets: readonly {
    readonly lastFour: string;
    readonly state: 'pending' | 'active' | 'retiring' | 'expired';
    readonly expiresAt: Date | null;
  }[];
}

/** A key's columns with its secrets, of `api_key k`: no statement of its own for each key of a list. */
export const keyColumns = `k.id, k.account_id, k.environment, k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at,
  (select u.last_used_at from keyfare.key_use u where u.key_id = k.id) as last_used_at,
  (select coalesce(json_agg(json_build_object('last_four', s.last_four, 'activated_at', s.activated_at,
    'expires_at', s.expires_at) order by s.created_at, s.id), '[]')
   from keyfare.api_key_secret s where s.key_id = k.id) as secrets`;

export interface KeySummaryRow {
  readonly id: string;
  readonly account_id: string;
  readonly environment: 'live' | 'test';
  readonly name: string;
  readonly scopes: readonly string[];
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
  readonly secrets: readonly {
    readonly last_four: string;
    readonly activated_at: string | null;
    readonly expires_at: string | null;
  }[];
}

/** The key as of `now`. */
export function summaryOf(row: KeySummaryRow, now: Date): KeySummary {
  return {
    id: row.id,
    accountId: row.account_id,
    environment: row.environment,
    name: row.name,
    scopes: row.scopes,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
    secrets: row.secrets.map((secret) => {
      const expiresAt = secret.expires_at === null ? null : new Date(secret.expires_at);
      return { lastFour: secret.last_four, state: stateOf(secret.activated_at, expiresAt, now), expiresAt };
    }),
  };
}

function stateOf(
  activatedAt: string | null,
  expiresAt: Date | null,
  now: Date,
): KeySummary['secrets'][number]['state'] {
  if (activatedAt === null) return 'pending';
  if (expiresAt === null) return 'active';
  return expiresAt > now ? 'retiring' : 'expired';
}
