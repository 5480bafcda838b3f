import { SubNav } from '../../ui/subnav.js';

export const OperationsNav = () => (
  <SubNav
    label="Operations"
    of={[
      { href: '/operations', title: 'Status' },
      { href: '/operations/treasury', title: 'Treasury' },
      { href: '/operations/entries', title: 'Refused entries' },
      { href: '/operations/audit', title: 'Audit log' },
      { href: '/operations/operators', title: 'Operators' },
    ]}
  />
);
