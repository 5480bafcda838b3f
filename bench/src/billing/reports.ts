import { issueToken } from '@keyfare/gate/operators';
import type { Books } from './books.js';
import { residentMb } from './intake.js';
import { addLargeAccount, largeAccount } from './large-books.js';

/** What people wait for, over books of a million calls and as many journals. */
export interface ReportFigures {
  /** Of each report and list, in milliseconds over HTTP: pages from its start and on by its cursor. */
  readonly p95Ms: Readonly<Record<string, number>>;
  /** To draw up the draft of a month with 100,000 calls. */
  readonly invoiceSeconds: number;
  readonly rssMb: number;
}

/** So many answers of each report, after two that are not measured. */
const measured = 40;
const wallet = `usdc:eip155:84532:0x${'a'.repeat(40)}`;

/** Over books that were filled by `fillLargeBooks`. */
export async function benchReports(books: Books): Promise<ReportFigures> {
  const call = await asOperator(books);
  const [customer] = await books.sql.query<{ id: string }>({ text: 'select id from billing.customer limit 1' });
  const [month = ''] = new Date(new Date().setUTCDate(0)).toISOString().match(/^\d{4}-\d{2}/) ?? [];
  const p95Ms: Record<string, number> = {};
  for (const path of paths(month, customer?.id ?? '')) p95Ms[nameOf(path)] = await p95(call, path);
  await addLargeAccount(books.sql);
  const startedAt = performance.now();
  await call('/invoices', { account: largeAccount, month });
  return { p95Ms, invoiceSeconds: (performance.now() - startedAt) / 1_000, rssMb: residentMb(books.pids.billing) };
}

/** The report, and by which parameters it was asked for. */
function nameOf(path: string): string {
  return path.replace(/^\/reports\//, '').replaceAll(/=[^&]*/g, '');
}

function paths(month: string, customer: string): readonly string[] {
  const ofMonth = (name: string): string => `/reports/${name}?month=${month}`;
  return [
    '/reports/trial-balance',
    ...['trial-balance', 'revenue', 'daily-revenue', 'callers', 'invoices', 'journal', 'settlements', 'unpaid'].map(
      ofMonth,
    ),
    ...['revenue-timing', 'refunds', 'sweeps', 'dust', 'gas'].map(ofMonth),
    `/reports/gas?by=settlement&month=${month}`,
    `/reports/general-ledger?ledgerAccount=${encodeURIComponent(wallet)}&month=${month}`,
    `/reports/statement?customer=${customer}&month=${month}`,
    '/reports/ageing',
    `/months/${month}`,
    `/months/${month}/report`,
    '/months',
    '/breaks?status=open',
    '/breaks',
    '/entries',
    '/invoices',
    '/customers',
    '/reconciliations',
    '/audit',
    '/wallets',
  ];
}

export type Call = (path: string, body?: object) => Promise<{ readonly next?: string | null }>;

async function asOperator({ sql, url }: Books): Promise<Call> {
  const { id, token, hash } = issueToken();
  await sql.query({
    text: `insert into keyfare.operator (id, name, scopes, token_hash, last_four, created_at, expires_at)
      values ($1, $1, array['read', 'write', 'money'], $2, $3, now(), now() + interval '1 day')`,
    values: [id, hash, token.slice(-4)],
  });
  return async (path, body) => {
    const response = await fetch(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': id }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${String(response.status)}: ${text.slice(0, 200)}`);
    return JSON.parse(text) as { next?: string | null };
  };
}

/** Of so many answers in milliseconds, read from the start and on by the cursor. */
export async function p95(call: Call, path: string): Promise<number> {
  const took: number[] = [];
  let cursor: string | null = null;
  for (let nth = -2; nth < measured; nth += 1) {
    const startedAt = performance.now();
    const { next = null } = await call(
      cursor === null ? path : `${path}${path.includes('?') ? '&' : '?'}cursor=${cursor}`,
    );
    if (nth >= 0) took.push(performance.now() - startedAt);
    cursor = next;
  }
  return took.toSorted((a, b) => a - b)[Math.ceil(measured * 0.95) - 1] ?? 0;
}
