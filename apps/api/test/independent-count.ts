import { createHash, createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import { Client } from 'pg';

/** What a caller holds: a receipt, or the word that its payment will be refunded. */
export interface Held {
  readonly id?: string;
  readonly jws?: string;
  /** Of the payment; undefined for a call by key. */
  readonly nonce?: string;
}

/** Where the count looks. */
export interface Places {
  readonly databaseUrl: string;
  readonly rpcUrl: string;
  readonly asset: string;
  readonly payTo: string;
  /** The published JWK set, as it came. */
  readonly jwks: { readonly keys: readonly (JsonWebKey & { readonly kid?: string })[] };
}

interface EntryRow {
  readonly id: string;
  readonly kind: string;
  readonly principal: string;
  readonly rail: string | null;
  readonly units: string | null;
  readonly kid: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly digest: Buffer;
}

interface Entry extends Pick<EntryRow, 'id' | 'kind' | 'principal' | 'rail' | 'units'> {
  readonly jws: string;
  readonly says: Readonly<Record<string, string>>;
}

interface Movement {
  readonly nonce: string;
  readonly payer: string;
  readonly transaction: string;
  readonly value: bigint;
}

/**
 * Counts receipts in hands, usage, entries, the ledger and the chain against each other and names every difference. It
 * uses plain SQL, JSON-RPC and Node alone: a fault that the product's own code hides from itself shows here.
 */
export async function countIndependently(places: Places, held: readonly Held[]): Promise<string[]> {
  const client = new Client({ connectionString: places.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<EntryRow>('select * from keyfare.entry order by id');
    const faults: string[] = [];
    const entries = rows.map((row) => readEntry(row, places, faults));
    const moved = await readChain(places);
    compareHands(held, entries, faults);
    comparePayments(entries, moved, faults);
    await compareLog(client, entries, faults);
    await compareMeter(client, entries, faults);
    await compareLedger(client, { entries, moved }, faults);
    return faults;
  } finally {
    await client.end();
  }
}

function readEntry(row: EntryRow, { jwks }: Places, faults: string[]): Entry {
  const typ = `keyfare-${row.kind === 'call' ? 'receipt' : row.kind}+jws`;
  const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid: row.kid, typ })).toString('base64url');
  const signed = `${header}.${row.payload.toString('base64url')}`;
  const jws = `${signed}.${row.signature.toString('base64url')}`;
  if (!createHash('sha256').update(jws).digest().equals(row.digest)) faults.push(`entry ${row.id}: digest`);
  const key = keyOf(jwks, row.kid);
  if (key === undefined || !verify(null, Buffer.from(signed), key, row.signature)) {
    faults.push(`entry ${row.id}: signature`);
  }
  const says = JSON.parse(row.payload.toString('utf8')) as Record<string, string>;
  if (row.kind === 'call') {
    for (const name of ['id', 'principal', 'rail', 'units'] as const) {
      if (String(says[name]) !== String(row[name])) faults.push(`entry ${row.id}: usage ${name}`);
    }
  }
  const { id, kind, principal, rail, units } = row;
  return { id, kind, principal, rail, units, jws, says };
}

function keyOf({ keys }: Places['jwks'], kid: string): KeyObject | undefined {
  const jwk = keys.find((one) => one.kid === kid);
  return jwk === undefined ? undefined : createPublicKey({ key: jwk, format: 'jwk' });
}

interface Log {
  readonly topics: readonly string[];
  readonly data: string;
  readonly transactionHash: string;
  readonly logIndex: string;
}

const transferTopic = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';
const authorizationUsedTopic = '0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5';

/** Authorized transfers to the till: the token logs the use of an authorization right before its transfer. */
async function readChain({ rpcUrl, asset, payTo }: Places): Promise<readonly Movement[]> {
  const response = await fetch(rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'eth_getLogs',
      params: [{ fromBlock: '0x0', toBlock: 'latest', address: asset }],
    }),
  });
  const { result } = (await response.json()) as { result: readonly Log[] };
  return result.flatMap((log, index) => {
    const used = result[index - 1];
    const isIn = log.topics[0] === transferTopic && addressOf(log.topics[2]) === payTo.toLowerCase();
    if (!isIn) return [];
    const isAuthorized =
      used?.topics[0] === authorizationUsedTopic &&
      used.transactionHash === log.transactionHash &&
      Number(used.logIndex) + 1 === Number(log.logIndex);
    const nonce = isAuthorized ? (used.topics[2] ?? '') : 'none';
    return [{ nonce, payer: addressOf(log.topics[1]), transaction: log.transactionHash, value: BigInt(log.data) }];
  });
}

function addressOf(topic = ''): string {
  return `0x${topic.slice(-40)}`;
}

/** Every receipt in a hand is an entry, once; every paid call has reached its caller. */
function compareHands(held: readonly Held[], entries: readonly Entry[], faults: string[]): void {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const seen = new Set<string>();
  const refunds = new Set(entries.filter(({ kind }) => kind === 'refund-due').map(({ says }) => says['nonce']));
  for (const { id, jws, nonce } of held) {
    if (id === undefined) {
      if (!refunds.has(nonce)) faults.push(`payment ${nonce}: no refund is due in the log`);
      continue;
    }
    if (seen.has(id)) faults.push(`receipt ${id}: in two hands`);
    seen.add(id);
    const entry = byId.get(id);
    if (entry === undefined) faults.push(`receipt ${id}: no entry`);
    else if (entry.jws !== jws) faults.push(`receipt ${id}: other than its entry`);
    else if (nonce !== undefined && entry.says['nonce'] !== nonce) faults.push(`receipt ${id}: another payment's`);
  }
  for (const { id, kind, rail } of entries) {
    if (kind === 'call' && rail === 'x402' && !seen.has(id)) faults.push(`paid call ${id}: in nobody's hands`);
  }
}

/** Every movement is claimed by one entry, and every entry that claims one is right about it. */
function comparePayments(entries: readonly Entry[], moved: readonly Movement[], faults: string[]): void {
  const claims = new Map<string, { transaction: string | undefined; entry: Entry }>();
  const settlements = entries.filter(({ kind }) => kind === 'settlement');
  for (const entry of entries) {
    if (!(entry.kind === 'refund-due' || (entry.kind === 'call' && entry.rail === 'x402'))) continue;
    const nonce = entry.says['nonce'] ?? '';
    if (claims.has(nonce)) faults.push(`payment ${nonce}: claimed twice`);
    const later = settlements.filter(({ says }) => says['call'] === entry.id);
    const isDeferred = entry.says['settlement'] === 'deferred';
    if (later.length !== (isDeferred ? 1 : 0)) faults.push(`entry ${entry.id}: ${later.length} settlements`);
    claims.set(nonce, { entry, transaction: isDeferred ? later[0]?.says['transaction'] : entry.says['transaction'] });
  }
  for (const { nonce, payer, transaction, value } of moved) {
    const claim = claims.get(nonce);
    claims.delete(nonce);
    if (claim === undefined) faults.push(`transfer ${transaction}/${nonce}: moved twice, or no entry`);
    else if (
      claim.transaction !== transaction ||
      claim.entry.says['amount'] !== String(value) ||
      claim.entry.principal !== payer
    ) {
      faults.push(`transfer ${transaction}/${nonce}: other than entry ${claim.entry.id}`);
    }
  }
  for (const nonce of claims.keys()) faults.push(`payment ${nonce}: not on the chain`);
  const calls = new Set(entries.filter(({ kind }) => kind === 'call').map(({ id }) => id));
  for (const { id, says } of settlements) {
    if (!calls.has(says['call'] ?? '')) faults.push(`settlement ${id}: of no call`);
  }
}

/** Places are gapless from 1, and each entry has one. */
async function compareLog(client: Client, entries: readonly Entry[], faults: string[]): Promise<void> {
  const { rows } = await client.query<{ place: string; id: string }>(
    `select (first_place + n - 1)::text as place, id from keyfare.placed, unnest(ids) with ordinality as t(id, n)
      order by first_place + n - 1`,
  );
  if (rows.some(({ place }, index) => Number(place) !== index + 1)) faults.push('log: places have a gap or a double');
  const placed = new Set(rows.map(({ id }) => id));
  if (placed.size !== rows.length || placed.size !== entries.length) {
    faults.push(`log: ${entries.length} entries, ${rows.length} places of ${placed.size}`);
  }
  for (const { id } of entries) if (!placed.has(id)) faults.push(`entry ${id}: no place`);
}

/** An allowance says what its entries add up to, and nothing is leased any more. */
async function compareMeter(client: Client, entries: readonly Entry[], faults: string[]): Promise<void> {
  const used = new Map<string, bigint>();
  for (const { rail, principal, units } of entries) {
    if (rail === 'key') used.set(principal, (used.get(principal) ?? 0n) + BigInt(units ?? 0));
  }
  const { rows } = await client.query<{ account: string; used: string; leased: string }>(
    `select account_id as account, sum(used)::text as used, sum(leased)::text as leased
      from keyfare.allowance group by account_id`,
  );
  for (const row of rows) {
    const counted = used.get(row.account) ?? 0n;
    used.delete(row.account);
    if (BigInt(row.used) !== counted) faults.push(`account ${row.account}: used ${row.used}, entries ${counted}`);
    if (row.leased !== '0') faults.push(`account ${row.account}: leased ${row.leased}`);
  }
  for (const [account, units] of used) faults.push(`account ${account}: no allowance, entries ${units}`);
}

/** Cash is what the chain moved, receivables are empty, income and refunds are what the log says. */
async function compareLedger(
  client: Client,
  { entries, moved }: { readonly entries: readonly Entry[]; readonly moved: readonly Movement[] },
  faults: string[],
): Promise<void> {
  const { rows } = await client.query<{ account: string; sum: string }>(
    `select split_part(account, ':', 1) || case when account like 'revenue:%' then ':' || split_part(account, ':', 2)
        else '' end as account, sum(amount)::text as sum
      from billing.ledger_line where asset = 'USDC' group by 1`,
  );
  const books = new Map(rows.map(({ account, sum }) => [account, BigInt(sum)]));
  const total = (of: readonly Entry[]): bigint => of.reduce((sum, { says }) => sum + BigInt(says['amount'] ?? 0), 0n);
  const expected: Readonly<Record<string, bigint>> = {
    usdc: moved.reduce((sum, { value }) => sum + value, 0n),
    'x402-receivable': 0n,
    'deferred-receivable': 0n,
    'unidentified-receipts': 0n,
    uncollected: 0n,
    'revenue:x402': -total(entries.filter(({ kind, rail }) => kind === 'call' && rail === 'x402')),
    'refunds-due': -total(entries.filter(({ kind }) => kind === 'refund-due')),
  };
  for (const [account, amount] of Object.entries(expected)) {
    const booked = books.get(account) ?? 0n;
    if (booked !== amount) faults.push(`ledger ${account}: ${booked}, counted ${amount}`);
  }
}
