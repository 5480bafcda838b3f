import { billing, gate, ok } from '../../../api/client.js';
import { useRead } from '../../../api/hooks.js';
import type { FieldOf } from './kind.js';

type Offer = { readonly value: string; readonly label: string };
const query = { limit: '200' } as const;

const readers: Readonly<Record<NonNullable<FieldOf['offers']>, (text: string) => Promise<readonly Offer[]>>> = {
  customers: async () =>
    (await ok(billing.GET('/customers', { params: { query } }))).items.map(({ id, legalName }) => ({
      value: id,
      label: legalName,
    })),
  sellers: async () =>
    (await ok(billing.GET('/sellers', { params: { query } }))).items.map(({ id, legalName, series }) => ({
      value: id,
      label: `${legalName}, ${series}`,
    })),
  'tax-codes': async () => {
    const { items } = await ok(billing.GET('/tax-rates', { params: { query } }));
    return [...new Set(items.map(({ code }) => code))].map((code) => ({ value: code, label: code }));
  },
  accounts: async (text) =>
    (
      await ok(
        gate.GET('/admin/accounts', { params: { query: { ...query, ...(text === '' ? {} : { search: text }) } } }),
      )
    ).items.map(({ id, name }) => ({ value: id, label: name })),
};

/** What a field of that kind may hold, for the browser to offer: the first two hundred. */
export function useOffers(of: FieldOf['offers'], text: string): readonly Offer[] {
  const search = of === 'accounts' ? text : '';
  const { data } = useRead(['offers', of, search], async () => (of === undefined ? [] : readers[of](search)));
  return data ?? [];
}
