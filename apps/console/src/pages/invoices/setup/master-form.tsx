import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { FormDialog } from '../../../ui/dialog.js';
import { Field, Select } from '../../../ui/fields.js';
import type { FieldOf, Kind, Values } from './kind.js';
import { useOffers } from './offers.js';

interface MasterFormProps<Row extends { readonly id: string }> {
  readonly kind: Kind<Row>;
  /** The row that is changed; without it a new one is made. */
  readonly row?: Row;
  readonly given?: Values;
  readonly onClose: () => void;
}

/** Enters or changes one row of master data. */
export function MasterForm<Row extends { readonly id: string }>({ kind, row, given, onClose }: MasterFormProps<Row>) {
  const queries = useQueryClient();
  const [values, setValues] = useState<Values>(() =>
    row === undefined ? { ...kind.fresh, ...given } : kind.valuesOf(row),
  );
  const fields = row === undefined ? kind.fields : kind.fields.filter(({ isFixed }) => isFixed !== true);
  const isReady = fields.every(
    ({ name, isOptional, choices }) =>
      isOptional === true || choices !== undefined || (values[name]?.trim() ?? '') !== '',
  );
  return (
    <FormDialog
      title={row === undefined ? `New ${kind.one}` : `Change the ${kind.one}`}
      action={row === undefined ? 'Enter' : 'Change'}
      isOpen
      isReady={isReady}
      onClose={onClose}
      onSubmit={async () => {
        await (row === undefined ? kind.add(values) : kind.change?.(row, values));
        await queries.invalidateQueries({ queryKey: [kind.key] });
        await queries.invalidateQueries({ queryKey: ['offers'] });
      }}
    >
      <p className="muted">{kind.says}</p>
      {fields.map((field) => (
        <OneField
          key={field.name}
          field={field}
          value={values[field.name] ?? ''}
          onChange={(text) => setValues((before) => ({ ...before, [field.name]: text }))}
        />
      ))}
    </FormDialog>
  );
}

interface OneFieldProps {
  readonly field: FieldOf;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function OneField({ field, value, onChange }: OneFieldProps) {
  const { label, hint, type, choices, isMultiline = false, isOptional = false, offers } = field;
  const offered = useOffers(offers, value);
  const said = offered.find((offer) => offer.value === value && offer.label !== value)?.label ?? hint;
  const hinted = said === undefined ? {} : { hint: said };
  if (choices !== undefined) {
    return <Select label={label} value={value} onChange={onChange} choices={choices} {...hinted} />;
  }
  return (
    <Field
      label={isOptional ? `${label} (may be empty)` : label}
      value={value}
      onChange={onChange}
      isRequired={!isOptional}
      isMultiline={isMultiline}
      {...hinted}
      {...(type === undefined ? {} : { type })}
      {...(offers === undefined ? {} : { suggestions: offered })}
    />
  );
}
