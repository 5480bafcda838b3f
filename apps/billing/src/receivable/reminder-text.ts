/** What a reminder says; amounts in micro-dollars, days as `YYYY-MM-DD`. */
export interface ReminderFacts {
  readonly language: ReminderLanguage;
  readonly level: number;
  /** Whether there is no level after it. */
  readonly isLast: boolean;
  readonly writtenOn: string;
  readonly seller: { readonly legalName: string; readonly payTo: string };
  readonly customer: { readonly legalName: string; readonly address: string };
  readonly invoices: readonly {
    readonly number: string;
    readonly dueOn: string;
    readonly daysOverdue: number;
    readonly outstanding: bigint;
  }[];
}

export const reminderLanguages = ['en', 'de'] as const;
export type ReminderLanguage = (typeof reminderLanguages)[number];

/** German for `de` and its regions, English for all others. */
export function reminderLanguageOf(language: string): ReminderLanguage {
  return /^de(?:-|$)/u.test(language) ? 'de' : 'en';
}

interface Words {
  readonly subjects: readonly [first: string, later: string, last: string];
  readonly openings: readonly [first: string, later: string, last: string];
  readonly greeting: string;
  readonly line: (number: string, dueOn: string, days: number, amount: string) => string;
  readonly total: (amount: string) => string;
  readonly pay: (payTo: string, numbers: string) => string;
  readonly crossed: string;
  readonly closing: string;
  readonly day: (day: string) => string;
  readonly separators: readonly [thousands: string, decimal: string];
}

const texts: Readonly<Record<ReminderLanguage, Words>> = {
  en: {
    subjects: ['Payment reminder', 'Second payment reminder', 'Final payment reminder'],
    openings: [
      'You may have overlooked that the following is overdue:',
      'We reminded you before. The following is still to be paid:',
      'In spite of our reminders the following is still to be paid. Please pay it without delay:',
    ],
    greeting: 'Dear Sir or Madam,',
    line: (number, dueOn, days, amount) =>
      `Invoice ${number}, due on ${dueOn} (${days} ${days === 1 ? 'day' : 'days'} ago): ${amount}`,
    total: (amount) => `In total: ${amount}`,
    pay: (payTo, numbers) => `Please pay to ${payTo} and name ${numbers} as the reference.`,
    crossed: 'If your payment is on its way already, please take no notice of this letter.',
    closing: 'Yours faithfully',
    day: (day) => day,
    separators: [',', '.'],
  },
  de: {
    subjects: ['Zahlungserinnerung', 'Mahnung', 'Letzte Mahnung'],
    openings: [
      'vielleicht haben Sie übersehen, dass Folgendes fällig ist:',
      'wir haben Sie bereits erinnert. Folgendes ist noch offen:',
      'trotz unserer Mahnungen ist Folgendes noch offen. Bitte zahlen Sie es unverzüglich:',
    ],
    greeting: 'Sehr geehrte Damen und Herren,',
    line: (number, dueOn, days, amount) =>
      `Rechnung ${number}, fällig am ${dueOn} (vor ${days} ${days === 1 ? 'Tag' : 'Tagen'}): ${amount}`,
    total: (amount) => `Insgesamt: ${amount}`,
    pay: (payTo, numbers) => `Bitte überweisen Sie an ${payTo} und nennen Sie ${numbers} als Verwendungszweck.`,
    crossed: 'Sollte Ihre Zahlung schon unterwegs sein, betrachten Sie dieses Schreiben bitte als gegenstandslos.',
    closing: 'Mit freundlichen Grüßen',
    day: (day) => day.split('-').toReversed().join('.'),
    separators: ['.', ','],
  },
};

/** The letter: depends on what it is given alone. Its lines end with `\n`. */
export function writeReminder(facts: ReminderFacts): { readonly subject: string; readonly body: string } {
  const { language, level, isLast, writtenOn, seller, customer, invoices } = facts;
  const words = texts[language];
  // The only level there is sounds like the first one.
  const tone = level === 1 ? 0 : isLast ? 2 : 1;
  const amount = (micros: bigint) => amountText(micros, words.separators);
  const numbers = invoices.map(({ number }) => number).join(', ');
  const total = invoices.reduce((sum, { outstanding }) => sum + outstanding, 0n);
  const subject = `${words.subjects[tone]}: ${numbers}`;
  const lines = invoices.map(({ number, dueOn, daysOverdue, outstanding }) =>
    words.line(number, words.day(dueOn), daysOverdue, amount(outstanding)),
  );
  const paragraphs = [
    `${customer.legalName}\n${customer.address}`,
    words.day(writtenOn),
    subject,
    words.greeting,
    words.openings[tone],
    lines.join('\n'),
    words.total(amount(total)),
    words.pay(seller.payTo, numbers),
    words.crossed,
    `${words.closing}\n${seller.legalName}`,
  ];
  return { subject, body: `${paragraphs.join('\n\n')}\n` };
}

/** Dollars with two decimals, or with six where parts of a cent are open: a credit may leave them. */
function amountText(micros: bigint, [thousands, decimal]: Words['separators']): string {
  const whole = (micros / 1_000_000n).toString().replaceAll(/\B(?=(?:\d{3})+$)/gu, thousands);
  const rest = (micros % 1_000_000n).toString().padStart(6, '0');
  return `${whole}${decimal}${rest.endsWith('0000') ? rest.slice(0, 2) : rest} USD`;
}
