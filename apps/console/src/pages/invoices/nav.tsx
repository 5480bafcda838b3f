import { SubNav } from '../../ui/subnav.js';

export const InvoicesNav = () => (
  <SubNav
    label="Invoices"
    of={[
      { href: '/invoices', title: 'Invoices' },
      { href: '/invoices/run', title: 'Make final' },
      { href: '/invoices/bank', title: 'Bank payments' },
      { href: '/invoices/reminders', title: 'Reminders' },
      { href: '/invoices/adjustments', title: 'Adjustments' },
      { href: '/invoices/setup', title: 'Set-up' },
    ]}
  />
);
