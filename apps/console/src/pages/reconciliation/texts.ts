import type { components } from '@keyfare/api-types/billing';

export type Kind = components['schemas']['Break']['possibleKinds'][number];

/** What a resolution of each kind says and does. */
export const kindTexts: Readonly<Record<Kind, { readonly title: string; readonly does: string }>> = {
  'no-posting': { title: 'Explained', does: 'It is explained; the ledger stays as it is.' },
  'write-off': { title: 'Write off', does: 'The money will not come: what was expected becomes a loss.' },
  gift: { title: 'Keep as other income', does: 'Nobody asks for it back: it is income.' },
  'refund-due': { title: 'Owe it back', does: 'It is owed to who paid it.' },
  'other-wallet': { title: 'Another wallet of ours', does: 'A wallet of ours has it, or sent it.' },
  duplicate: { title: 'Duplicate', does: 'Two entries were written for one payment: the second earned nothing.' },
  correction: { title: 'Correction', does: 'Moves an amount between two ledger accounts that you name.' },
};

/** Which of four witnesses a break is seen at. */
export const sideTexts = {
  receipt: 'Receipt (what was signed)',
  usage: 'Usage (what was metered)',
  ledger: 'Journal (what was booked)',
  chain: 'Chain (what moved)',
} as const;

/** What each point of the close asks. */
export const checklistTitles = {
  'month-over': 'The month is over',
  'earlier-months': 'Earlier months are locked',
  'entries-read': 'All entries are placed',
  'chain-final': 'The chain is read, and final',
  matches: 'Matches are final',
  reconciled: 'Reconciled past its end',
  breaks: 'No open case over the limit',
  invoices: 'Invoices are final',
  'late-entries': 'Late entries are dated',
} as const;
