import { DatabaseUnavailable, type Sql } from '@keyfare/db/sql';
import { beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type KnownOperator, OperatorLookup, type OperatorMemory } from './lookup.js';
import { issueToken } from './operator.js';

const { id, token, hash } = issueToken();
const expiresAt = new Date('2999-01-01T00:00:00Z');
const row = {
  id,
  operator_id: id,
  name: 'ann',
  scopes: ['read'],
  token_hash: hash,
  expires_at: expiresAt,
  confirmed: false,
};
const known: KnownOperator = {
  id,
  operatorId: id,
  name: 'ann',
  scopes: ['read'],
  tokenHash: hash,
  expiresAt,
  isConfirmed: false,
};

let answer: () => readonly object[];
let calls: string[];
const sql: Sql = { query: async <Row>() => answer() as readonly Row[] };
const memory: OperatorMemory = {
  remember: async (operator) => void calls.push(`remember ${operator.id}`),
  recall: async (ids) => (ids.includes(id) ? [known] : []),
};
const away = (): never => {
  throw new DatabaseUnavailable(undefined, { inDoubt: false });
};

beforeEach(() => {
  calls = [];
});

describe('a lookup with a memory', () => {
  it('remembers whom the database lets in', async () => {
    const lookup = new OperatorLookup(sql, memory);
    answer = () => [row];
    expect(await lookup.find(token)).toEqual({ id, name: 'ann', scopes: ['read'] });
    answer = () => [];
    expect(await lookup.find(token)).toBeNull();
    expect(calls).toEqual([`remember ${id}`]);
  });

  it('asks it only while the database is away, and then writes nothing: the hour is not made longer', async () => {
    const lookup = new OperatorLookup(sql, memory);
    answer = away;
    expect(await lookup.find(token)).toEqual({ id, name: 'ann', scopes: ['read'] });
    await expect(lookup.find(issueToken().token)).rejects.toMatchObject({ code: 'service/database-unavailable' });
    answer = () => {
      throw new TypeError('a fault of ours');
    };
    await expect(lookup.find(token)).rejects.toThrow('a fault of ours');
    expect(calls).toEqual([]);
  });

  it('does not let in another token under an id that it knows', async () => {
    answer = () => [{ ...row, token_hash: issueToken().hash }];
    expect(await new OperatorLookup(sql, memory).find(token)).toBeNull();
    answer = away;
    const other = { ...memory, recall: async () => [{ ...known, tokenHash: issueToken().hash }] };
    expect(await new OperatorLookup(sql, other).find(token)).toBeNull();
    expect(calls).toEqual([]);
  });

  it('lets in whom the database knows though the memory fails, and nobody when both do', async () => {
    const broken = async (): Promise<never> => away();
    const lookup = new OperatorLookup(sql, { remember: broken, recall: broken });
    answer = () => [row];
    expect(await lookup.find(token)).toMatchObject({ id });
    answer = () => [];
    expect(await lookup.find(token)).toBeNull();
    answer = away;
    await expect(lookup.find(token)).rejects.toMatchObject({ code: 'service/database-unavailable' });
  });

  it('without one is refused while the database is away', async () => {
    answer = away;
    await expect(new OperatorLookup(sql).find(token)).rejects.toMatchObject({ code: 'service/database-unavailable' });
  });
});
