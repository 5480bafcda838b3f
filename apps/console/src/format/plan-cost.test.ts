import { expect, test } from '@keyfare/jest-preset/globals';
import { costOn, lastMonths } from './plan-cost.js';

const pro = { includedUnits: '50', overage: 'invoice', overagePrice: '$0.000250', monthlyPrice: '$49.000000' } as const;

test('a month within the included units costs the fee alone', () => {
  expect(costOn(pro, '50')).toEqual({
    fee: '49.000000',
    overage: '0.000000',
    total: '49.000000',
    unitsBeyond: '0',
    unitsRefused: '0',
  });
});

test('units beyond the included ones are charged exactly, however many they are', () => {
  expect(costOn(pro, '9007199254740993000')).toMatchObject({
    overage: '2251799813685248.237500',
    unitsBeyond: '9007199254740992950',
  });
});

test('a plan that refuses what is beyond it charges nothing for that and says how much it refuses', () => {
  const cost = costOn({ ...pro, overage: 'reject', overagePrice: null }, '60');
  expect(cost).toMatchObject({ total: '49.000000', unitsRefused: '10' });
});

test('the last months cross the year', () => {
  expect(lastMonths(new Date('2026-01-31T23:59:59Z'), 3)).toEqual(['2025-11', '2025-12', '2026-01']);
});
