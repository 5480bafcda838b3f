import { createPublicKey } from 'node:crypto';
import type { Sql } from '@keyfare/db/sql';
import type { GateConfig } from '@keyfare/gate/deployment';
import { type Finding, fail, ok, warn } from './finding.js';

/** The public half of the receipt signing key, as JWKS has it. */
export function publicX({ signingKey }: Pick<GateConfig, 'signingKey'>): string {
  return createPublicKey(signingKey).export({ format: 'jwk' }).x ?? '';
}

/** Whether every secret that is still good can be proved with the peppers that are configured. */
export async function checkPeppers(sql: Sql, { peppers }: GateConfig): Promise<readonly Finding[]> {
  const rows = await sql.query<{ pepper: string; secrets: number }>({
    text: `select s.pepper_id as pepper, count(*)::int as secrets from keyfare.api_key_secret s
      join keyfare.api_key k on k.id = s.key_id
      where (s.expires_at is null or s.expires_at > now()) and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now())
      group by s.pepper_id order by s.pepper_id`,
  });
  const unknown = rows.filter(({ pepper }) => !peppers.keys.has(pepper));
  if (unknown.length > 0) {
    return unknown.map(({ pepper, secrets }) =>
      fail(
        'keys.peppers',
        `${secrets} live secrets are hashed under the pepper ${pepper}, which API_KEY_PEPPERS does not have: their keys are refused`,
        `put ${pepper} back behind the first of API_KEY_PEPPERS (docs/runbooks/rotate-the-pepper.md)`,
      ),
    );
  }
  const secrets = rows.reduce((sum, row) => sum + row.secrets, 0);
  return [ok('keys.peppers', `all ${secrets} live secrets are under a pepper that is configured`)];
}

/** Whether the keys that are still good are of the environment that is served here. */
export async function checkEnvironment(sql: Sql, { environment }: GateConfig): Promise<Finding> {
  const rows = await sql.query<{ environment: string; keys: number }>({
    text: `select environment, count(*)::int as keys from keyfare.api_key
      where revoked_at is null and (expires_at is null or expires_at > now()) group by environment`,
  });
  const count = (wanted: boolean): number =>
    rows.filter((row) => (row.environment === environment) === wanted).reduce((sum, { keys }) => sum + keys, 0);
  const [served, refused] = [count(true), count(false)];
  if (refused === 0) return ok('keys.environment', `all ${served} live keys are of KEY_ENVIRONMENT=${environment}`);
  return warn(
    'keys.environment',
    `${refused} live keys are of the other environment than KEY_ENVIRONMENT=${environment}, and are refused here`,
    `revoke them, or set KEY_ENVIRONMENT to ${environment === 'live' ? 'test' : 'live'} if they are the ones to serve`,
  );
}

/** Whether the signing key was published, so that receipts verify, and whether another one signs beside it. */
export async function checkReceiptKey(sql: Sql, config: GateConfig): Promise<readonly Finding[]> {
  const x = publicX(config);
  const keys = await sql.query<{ kid: string; x: string }>({
    text: `select kid, jwk ->> 'x' as x from keyfare.receipt_key`,
  });
  const own = keys.find((key) => key.x === x);
  const published =
    own === undefined
      ? warn(
          'keys.receipt',
          'the public half of RECEIPT_SIGNING_KEY is not published yet',
          'start the API with this environment: it publishes the key before it signs with it',
        )
      : ok('keys.receipt', `receipts are signed by ${own.kid}`);
  const signers = await sql.query<{ kid: string }>({
    // Ids begin with their time, so that one partition is read.
    text: `select distinct kid from keyfare.entry
      where id >= keyfare.least_id(now() - interval '5 minutes') and recorded_at > now() - interval '5 minutes'`,
  });
  const others = signers.map(({ kid }) => kid).filter((kid) => kid !== own?.kid && kid !== '');
  if (others.length === 0) return [published, ok('keys.signers', 'no other key signed in the last five minutes')];
  return [
    published,
    warn(
      'keys.signers',
      `in the last five minutes receipts were signed by ${others.join(', ')} as well`,
      'give every process the same RECEIPT_SIGNING_KEY, and restart those that have another (docs/runbooks/rotate-the-receipt-key.md)',
    ),
  ];
}
