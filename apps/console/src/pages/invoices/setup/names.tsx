import { billing, ok } from '../../../api/client.js';
import { useRead } from '../../../api/hooks.js';

/** The name of who is invoiced; its id until it is read. */
export function CustomerName({ id }: { readonly id: string }) {
  const { data } = useRead(['billed-customers', id], async () =>
    ok(billing.GET('/customers/{id}', { params: { path: { id } } })),
  );
  return <bdi>{data?.id === id ? data.legalName : id}</bdi>;
}

/** The name of who sells; its id until it is read. */
export function SellerName({ id }: { readonly id: string }) {
  const { data } = useRead(['sellers', id], async () => ok(billing.GET('/sellers/{id}', { params: { path: { id } } })));
  return <bdi>{data?.id === id ? data.legalName : id}</bdi>;
}
