import { largestPart, readAll } from '../../api/all.js';
import { billing, ok } from '../../api/client.js';

const readPart = async (account: string, month: string, cursor: string | undefined) =>
  ok(
    billing.GET('/reports/usage', {
      params: { query: { account, month, limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
    }),
  );

type UsageLine = Awaited<ReturnType<typeof readPart>>['items'][number];

/** What an account used in a month by day and product. */
export async function readDays(account: string, month: string): Promise<readonly UsageLine[]> {
  const { items } = await readAll(async (cursor) => readPart(account, month, cursor));
  return items;
}
