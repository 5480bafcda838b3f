import { bytes, type RowColumn, rows, smallints, texts, times, uuids } from '@keyfare/db/rows';
import type { NewAnswer } from './stored-answer.js';

/** Bodies of one statement, which are in memory once more together. A larger one goes alone. */
export const bytesInOneStatement = 1_048_576;

/** The columns of an answer that is kept with something else; all of them null where there is none. */
export const answerColumns = <Item>(
  read: (item: Item) => NewAnswer | null,
): Readonly<Record<string, RowColumn<Item>>> => ({
  owners: bytes((item) => ownersOf(read(item))),
  answer_status: smallints((item) => read(item)?.status),
  headers: texts((item) => headersOf(read(item))),
  body: bytes((item) => bodyOf(read(item))),
  expires_at: times((item) => read(item)?.expiresAt),
});

/** The answer room's part of a post, over the rows of `from`; `id` names the column of the exchange. */
export const keepAnswers = (id: string, from: string): string => `
  insert into keyfare.answer (exchange_id, owners, status, headers, body, expires_at)
  select ${id}, owners, answer_status, headers::jsonb, body, expires_at from ${from} where owners is not null
  on conflict (exchange_id) do nothing`;

/** The rows of `insertAnswers`. */
export const answerRows = rows<NewAnswer>({
  exchange_id: uuids((item) => item.exchangeId),
  ...answerColumns<NewAnswer>((item) => item),
});

/** Answers by themselves. */
export const insertAnswers = keepAnswers('exchange_id', answerRows.source());

const nobody = Buffer.alloc(0);

function ownersOf(answer: NewAnswer | null): Buffer | null {
  if (answer === null) return null;
  return answer.owners.length === 0 ? nobody : Buffer.concat(answer.owners);
}

function headersOf(answer: NewAnswer | null): string | null {
  return answer === null ? null : JSON.stringify(answer.headers);
}

function bodyOf(answer: NewAnswer | null): Buffer | null {
  if (answer === null) return null;
  return typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
}
