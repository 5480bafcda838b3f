import { useState } from 'react';
import { useLocation } from 'wouter';
import { useEndless, useMay } from '../../../api/hooks.js';
import { Button } from '../../../ui/button.js';
import { Table } from '../../../ui/table.js';
import type { Kind } from './kind.js';
import { MasterForm } from './master-form.js';

/** The rows of one kind; a row leads to its page, or to its form for who may change it. */
export function MasterList<Row extends { readonly id: string }>({ kind }: { readonly kind: Kind<Row> }) {
  const [, navigate] = useLocation();
  const mayMoney = useMay('money');
  const [open, setOpen] = useState<Row | 'new'>();
  const list = useEndless([kind.key], async (cursor) => kind.read(cursor));
  const { hrefOf, change } = kind;
  const canOpen = hrefOf !== undefined || (change !== undefined && mayMoney);
  return (
    <>
      <Table
        name={kind.title.toLowerCase()}
        columns={kind.columns}
        list={list}
        keyOf={({ id }) => id}
        {...(canOpen ? { onOpen: (row: Row) => (hrefOf === undefined ? setOpen(row) : navigate(hrefOf(row))) } : {})}
        empty={`There are none yet. ${kind.says}`}
        actions={
          mayMoney ? (
            <Button look="primary" onPress={() => setOpen('new')}>
              New {kind.one}
            </Button>
          ) : undefined
        }
      />
      {open === undefined ? null : (
        <MasterForm kind={kind} {...(open === 'new' ? {} : { row: open })} onClose={() => setOpen(undefined)} />
      )}
    </>
  );
}
