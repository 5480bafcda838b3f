import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { nextLevel } from './reminder-level.js';
import { reminderLanguageOf, writeReminder } from './reminder-text.js';

describe('the next level of an invoice', () => {
  const levels = [7, 21, 35];
  it.each([
    ['is none before its first day', { daysOverdue: 6, level: 0, daysSince: null }, null],
    ['is the first on that day', { daysOverdue: 7, level: 0, daysSince: null }, 1],
    ['is the first though the invoice is overdue for long', { daysOverdue: 90, level: 0, daysSince: null }, 1],
    ['comes after the days between two levels', { daysOverdue: 90, level: 1, daysSince: 14 }, 2],
    ['does not come sooner after the one before', { daysOverdue: 90, level: 1, daysSince: 13 }, null],
    ['does not come before its day', { daysOverdue: 20, level: 1, daysSince: 14 }, null],
    ['is none after the last', { daysOverdue: 400, level: 3, daysSince: 300 }, null],
  ])('%s', (_, given, expected) => {
    expect(nextLevel(given, levels)).toBe(expected);
  });
});

describe('the text of a reminder', () => {
  const facts = {
    language: 'en',
    level: 1,
    isLast: false,
    writtenOn: '2026-12-01',
    seller: { legalName: 'Keyfare GmbH', payTo: 'DE89370400440532013000' },
    customer: { legalName: 'Acme', address: 'Street 2\nWien' },
    invoices: [
      { number: 'KF-000001', dueOn: '2026-11-16', daysOverdue: 15, outstanding: 1_234_500_000n },
      { number: 'KF-000002', dueOn: '2026-11-30', daysOverdue: 1, outstanding: 1n },
    ],
  } as const;

  it('names each invoice, what is open of it, and where to pay: in English', () => {
    expect(writeReminder(facts)).toEqual({
      subject: 'Payment reminder: KF-000001, KF-000002',
      body: `Acme
Street 2
Wien

2026-12-01

Payment reminder: KF-000001, KF-000002

Dear Sir or Madam,

You may have overlooked that the following is overdue:

Invoice KF-000001, due on 2026-11-16 (15 days ago): 1,234.50 USD
Invoice KF-000002, due on 2026-11-30 (1 day ago): 0.000001 USD

In total: 1,234.500001 USD

Please pay to DE89370400440532013000 and name KF-000001, KF-000002 as the reference.

If your payment is on its way already, please take no notice of this letter.

Yours faithfully
Keyfare GmbH
`,
    });
  });

  it('is German for German speakers, with their dates and amounts, and firmer from level to level', () => {
    expect(['de', 'de-AT', 'den', 'en', 'fr'].map(reminderLanguageOf)).toEqual(['de', 'de', 'en', 'en', 'en']);
    const german = { ...facts, language: 'de' } as const;
    const { body } = writeReminder(german);
    expect(body).toContain('Rechnung KF-000001, fällig am 16.11.2026 (vor 15 Tagen): 1.234,50 USD');
    const subjects = [german, { ...german, level: 2 }, { ...german, level: 3, isLast: true }].map(
      (each) => writeReminder(each).subject.split(':')[0],
    );
    expect(subjects).toEqual(['Zahlungserinnerung', 'Mahnung', 'Letzte Mahnung']);
  });
});
