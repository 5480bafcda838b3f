import type { Call } from '../billing/reports.js';

type Row = Readonly<Record<string, string>>;

const wallet = `usdc:eip155:84532:0x${'a'.repeat(40)}`;

/**
 * What pages ask, as they ask it, in the order of the navigation: lists, and one of each kind where the books have one.
 * By the name that the figures have for it.
 */
export async function pageRoutes(call: Call, month: string): Promise<ReadonlyMap<string, string>> {
  const first = async (path: string): Promise<Row> => {
    const [row] = ((await call(path)) as { readonly items?: readonly Row[] }).items ?? [];
    if (row === undefined) throw new Error(`${path} has no row`);
    return row;
  };
  const invoice = await first(`/invoices?month=${month}`);
  const [breakId, account, customer] = [
    (await first('/breaks?status=open'))['id'] ?? '',
    (await first('/gate/admin/accounts'))['id'] ?? '',
    (await first('/customers'))['id'] ?? '',
  ];
  const contract = await first('/contracts');
  const key = await first(`/gate/admin/accounts/${account}/keys`);
  const lists = ['/reconciliations', '/customers', '/contracts', '/bank-payments', '/bank-accounts', '/adjustments'];
  const further = ['/reminders', '/sellers', '/tax-rates', '/entries', '/audit', '/wallets', '/gas-readings'];
  const reports = ['revenue', 'daily-revenue', 'callers', 'journal', 'settlements', 'unpaid', 'refunds', 'invoices'];
  const treasury = ['revenue-timing', 'sweeps', 'dust', 'gas'];
  const gate = ['status', 'accounts?limit=100', 'plans', 'payments', 'refunds', 'operators', 'sessions', 'audit'];
  const paths: readonly (readonly [string, string])[] = [
    ...['/session', '/overview', '/status', '/months', '/breaks?status=open&limit=200', '/breaks?limit=200'].map(same),
    ...[...lists, ...further].map((path) => same(`${path}?limit=200`)),
    ['/breaks/{id}', `/breaks/${breakId}`],
    ...['evidence', 'events', 'comments'].map(
      (part) => [`/breaks/{id}/${part}`, `/breaks/${breakId}/${part}`] as const,
    ),
    ['/months/{month}', `/months/${month}`],
    ['/months/{month}/report', `/months/${month}/report`],
    ...['', '/credit'].map((part) => [`/customers/{id}${part}`, `/customers/${customer}${part}`] as const),
    ['/contracts/{id}', `/contracts/${contract['id'] ?? ''}`],
    ['/invoices?month', `/invoices?month=${month}&limit=200`],
    ['/invoices?account', `/invoices?account=${account}&limit=100`],
    ...['', '/payments', '/credit-notes'].map(
      (part) => [`/invoices/{id}${part}`, `/invoices/${invoice['id'] ?? ''}${part}`] as const,
    ),
    ['/reports/trial-balance', `/reports/trial-balance?month=${month}`],
    ...[...reports, ...treasury].map(
      (name) => [`/reports/${name}`, `/reports/${name}?month=${month}&limit=200`] as const,
    ),
    ['/reports/ageing', '/reports/ageing?limit=200'],
    ['/reports/usage', `/reports/usage?account=${account}&month=${month}&limit=200`],
    ['/reports/plan-comparison', `/reports/plan-comparison?account=${account}&month=${month}&limit=200`],
    ['/reports/statement', `/reports/statement?customer=${customer}&month=${month}`],
    [
      '/reports/general-ledger',
      `/reports/general-ledger?ledgerAccount=${encodeURIComponent(wallet)}&month=${month}&limit=200`,
    ],
    ...gate.map((name) => same(`/gate/admin/${name}`)),
    ['/gate/admin/accounts?search', '/gate/admin/accounts?limit=100&search=Bench%2099'],
    ['/gate/admin/accounts?plan', '/gate/admin/accounts?limit=100&plan=bench'],
    ...['', '/keys', '/usage'].map(
      (part) => [`/gate/admin/accounts/{id}${part}`, `/gate/admin/accounts/${account}${part}`] as const,
    ),
    ['/gate/admin/keys/{id}', `/gate/admin/keys/${key['id'] ?? ''}`],
    same('/gate/prices'),
  ];
  return new Map(paths);
}

const same = (path: string): readonly [string, string] => [path.replace(/[?&]limit=\d+$/, ''), path];
