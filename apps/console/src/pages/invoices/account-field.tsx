import { gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Field } from '../../ui/fields.js';

interface AccountFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** The id of an account; the browser offers those whose name or id has what was written. */
export function AccountField({ value, onChange }: AccountFieldProps) {
  const { data } = useRead(['accounts', 'offered', value], async () =>
    ok(gate.GET('/admin/accounts', { params: { query: { limit: '50', ...(value === '' ? {} : { search: value }) } } })),
  );
  return (
    <Field
      label="Account"
      value={value}
      onChange={onChange}
      isRequired
      hint="Its id; a part of the name finds it."
      suggestions={data?.items.map(({ id, name }) => ({ value: id, label: name })) ?? []}
    />
  );
}
