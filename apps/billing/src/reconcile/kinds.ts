import type { BreakClass } from './checks/check.js';

/** What a resolution posts. `no-posting` explains the break and leaves the ledger as it is. */
export const resolutionKinds = [
  'no-posting',
  'write-off',
  'gift',
  'refund-due',
  'other-wallet',
  'duplicate',
  'correction',
] as const;

export type ResolutionKind = (typeof resolutionKinds)[number];

export const severities = ['high', 'medium', 'low'] as const;

/** How much a class weighs: `high` is money or books that cannot be trusted, `low` what closes by itself. */
export type Severity = (typeof severities)[number];

type Rule = readonly [severity: Severity, ...kinds: ResolutionKind[]];

/** Of each class what it weighs, and which resolutions it may have beside `no-posting`. */
const rules: Readonly<Record<BreakClass, Rule>> = {
  'receipt-invalid': ['high', 'correction'],
  'receipt-missing': ['high'],
  'digest-mismatch': ['high'],
  'usage-mismatch': ['medium', 'correction'],
  'terms-missing': ['medium', 'correction'],
  'call-mismatch': ['medium', 'correction'],
  'account-ended': ['medium', 'correction'],
  'terms-mismatch': ['medium', 'correction'],
  'meter-mismatch': ['medium', 'correction'],
  'units-over-limit': ['low', 'correction'],
  'history-changed': ['high'],
  'entry-unposted': ['high', 'correction'],
  'posting-without-entry': ['high', 'correction'],
  'ledger-mismatch': ['high', 'correction'],
  'match-mismatch': ['high'],
  'invoice-stale': ['medium', 'correction'],
  'invoice-mismatch': ['high', 'correction'],
  'recorded-not-settled': ['high', 'write-off', 'other-wallet', 'correction'],
  'settled-not-recorded': ['medium', 'gift', 'refund-due', 'correction'],
  'amount-mismatch': ['medium', 'write-off', 'gift', 'refund-due', 'correction'],
  'duplicate-settlement': ['medium', 'duplicate', 'correction'],
  'deferred-overdue': ['medium', 'write-off', 'correction'],
  uncollectable: ['medium', 'correction'],
  'refund-due': ['medium', 'gift', 'other-wallet', 'correction'],
  'unknown-inbound': ['low', 'gift', 'refund-due', 'other-wallet', 'correction'],
  'unknown-outbound': ['high', 'other-wallet', 'correction'],
  'balance-mismatch': ['high', 'correction'],
  'intake-stalled': ['high'],
  'chain-stalled': ['high'],
  'chain-rewritten': ['high'],
};

// A class that a release before this one knew has no rule.
const unknown: Rule = ['medium', 'correction'];

function ruleOf(name: string): Rule {
  return Object.hasOwn(rules, name) ? rules[name as BreakClass] : unknown;
}

export function severityOf(name: string): Severity {
  return ruleOf(name)[0];
}

/** The classes that weigh so much. */
export function classesOf(severity: Severity): readonly string[] {
  return Object.keys(rules).filter((name) => severityOf(name) === severity);
}

/** How a break of the class may be resolved. */
export function possibleKinds(name: string): readonly ResolutionKind[] {
  const [, ...kinds] = ruleOf(name);
  return ['no-posting', ...kinds];
}
