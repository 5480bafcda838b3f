import { argument, type CommandSpec, given, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath } from './lists.js';

const customer = '6f0e1c52-7d3a-8b4e-9c1f-2a3b4c5d6e7f';
const invoice = '3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f';
const match = '0a1b2c3d-4e5f-8a6b-9c7d-8e9f0a1b2c3d';
const transfer = '7c8d9e0f-1a2b-8c3d-9e4f-5a6b7c8d9e0f';
const address = '0x209693bc6afc0c5328ba36faf03c514ef312287c';
const columns: readonly Column<Row>[] = [
  { heading: 'MATCH', cell: ({ match: id }) => id },
  { heading: 'INVOICE', cell: ({ invoice: id }) => id },
  { heading: 'TRANSFER', cell: ({ transfer: id }) => id },
];

/** Which transfers of USDC pay invoices. */
export const transfers: readonly CommandSpec[] = [
  {
    name: 'transfers from',
    summary: 'Says from which wallet a customer pays invoices.',
    speaks: 'billing',
    arguments: [
      { name: 'customer', description: 'the id of the customer' },
      { name: 'address', description: `such as ${address}` },
    ],
    options: [idempotencyOption],
    examples: [
      { line: `transfers from ${customer} ${address}`, output: `customer  ${customer}\naddress   ${address}` },
    ],
    run: async (input, { billing, out }) => {
      const request = given({ address: argument(input, 1) });
      const { body } = await billing().post(`/customers/${idPath(argument(input))}/wallets`, request);
      await out.record(body, Object.entries({ customer: body['customer'], address: body['address'] }));
      return undefined;
    },
  },
  {
    name: 'transfers match',
    summary: "Pays each invoice that one final transfer from its customer's wallet is exactly the amount of.",
    speaks: 'billing',
    options: [idempotencyOption],
    examples: [
      {
        line: 'transfers match',
        output: `MATCH                                 INVOICE                               TRANSFER
${match}  ${invoice}  ${transfer}`,
      },
    ],
    run: async (_input, { billing, out }) => {
      const { body } = await billing().post('/customers/wallets/match', {});
      const items = Array.isArray(body['items']) ? (body['items'] as Row[]) : [];
      if (out.json) await out.record(body, []);
      else await out.table(items, columns);
      return undefined;
    },
  },
  {
    name: 'transfers unmatch',
    summary: 'Takes back a match that was wrong: the invoice is to be paid again, and the money is unidentified.',
    speaks: 'billing',
    arguments: [{ name: 'match', description: 'its id' }],
    options: [{ flags: '--why <text>', description: 'what was wrong', required: true }, idempotencyOption],
    examples: [
      {
        line: `transfers unmatch ${match} --why 'of another customer'`,
        output: `match     ${match}\ninvoice   ${invoice}\ntransfer  ${transfer}`,
      },
    ],
    run: async (input, { billing, out }) => {
      const request = given({ match: argument(input), why: textOf(input, 'why') });
      const { body } = await billing().post('/customers/wallets/unmatch', request);
      await out.record(body, Object.entries(body));
      return undefined;
    },
  },
];
