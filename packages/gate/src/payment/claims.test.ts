import { SqlPool } from '@keyfare/db/sql';
import { expect, it } from '@keyfare/jest-preset/globals';
import { Claims } from './claims.js';

it('the release of a claim ends with the process, though the database does not come back', async () => {
  const sql = new SqlPool({ url: 'postgres://x@127.0.0.1:9/x', applicationName: 'nowhere' });
  const claims = new Claims(sql, { id: '00000000-0000-4000-8000-000000000000' }, () => new Date());
  const releasing = claims.release('00000000-0000-4000-8000-000000000001');
  await claims.close();
  await expect(releasing).resolves.toBeUndefined();
  await sql.close();
});
