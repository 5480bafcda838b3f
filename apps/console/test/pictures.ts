import { fileURLToPath } from 'node:url';
import { openWorld, settled } from './world.js';

/**
 * `npm run pictures -w @keyfare/console`: the pictures of docs/console.md, of each page from seeded data, light and dark.
 */
const folder = fileURLToPath(new URL('../../../../docs/pictures/', import.meta.url));
const world = await openWorld();
try {
  const { id } = await world.ask<{ id: string }>('/reconciliations', { body: { scope: 'full' } });
  for (let state = ''; state !== 'done'; ) ({ state } = await world.ask<{ state: string }>(`/reconciliations/${id}`));
  const who = await world.person('admin', 'Ada Lovelace');
  const first = async (path: string, of: 'api' | 'billing' = 'billing'): Promise<string> => {
    const { items } = await world.ask<{ items: readonly Readonly<Record<string, string>>[] }>(path, { of });
    return items[0]?.['id'] ?? items[0]?.['entry'] ?? '';
  };
  const pages = {
    today: '/',
    reconciliation: '/reconciliation',
    case: `/reconciliation/breaks/${await first('/breaks?class=settled-not-recorded')}`,
    month: `/reconciliation/months/${world.month}`,
    customers: '/customers',
    customer: `/customers/${await first('/admin/accounts?search=Customer', 'api')}`,
    payments: '/payments',
    payment: `/payments/${await first('/admin/payments?state=final', 'api')}`,
    receipts: `/receipts?id=${await first(`/reports/settlements?month=${world.month}`)}`,
    invoices: '/invoices',
    invoice: `/invoices/${await first(`/invoices?month=${world.month}`)}`,
    ledger: '/ledger',
    prices: '/prices',
    operations: '/operations',
  };
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await world.open(who, '/', { colorScheme, viewport: { width: 1_200, height: 760 } });
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(`/console${path}`);
      await settled(page);
      // Charts come after the numbers.
      await page.waitForFunction(() => document.querySelector('.chart-place') === null);
      await page.screenshot({ path: `${folder}console-${name}-${colorScheme}.png` });
    }
  }
} finally {
  await world.close();
}
