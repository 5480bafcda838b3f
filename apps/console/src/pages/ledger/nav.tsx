import { SubNav } from '../../ui/subnav.js';

export const LedgerNav = () => (
  <SubNav
    label="Ledger"
    of={[
      { href: '/ledger', title: 'Trial balance' },
      { href: '/ledger/journal', title: 'Journal' },
      { href: '/ledger/reports', title: 'Reports' },
      { href: '/ledger/files', title: 'Files for other programs' },
    ]}
  />
);
