import { asProblem, DatabaseUnavailable, isConnectionLost } from '@keyfare/db/sql';

/** What a TypeORM call answers; a lost connection is a 503 `service/database-unavailable`, as everywhere. */
export async function reach<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((error: unknown) => {
    throw isConnectionLost(error) ? asProblem(new DatabaseUnavailable(error, { inDoubt: false })) : error;
  });
}
