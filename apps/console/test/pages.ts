/** The pages of finance and of operations, by their paths below `/console`. */
export const pages = [
  '/',
  '/reconciliation',
  '/invoices',
  '/invoices/run',
  '/invoices/bank',
  '/invoices/setup',
  '/ledger',
  '/ledger/journal',
  '/ledger/reports/revenue',
  '/ledger/files',
  '/operations',
  '/operations/treasury',
  '/operations/entries',
  '/operations/audit',
  '/operations/operators',
] as const;
