import { Field } from '../../ui/fields.js';

export interface Range {
  readonly month: string;
  readonly from: string;
  readonly to: string;
}

/** What the API takes: a month, or two days; while the second is not chosen, still the month. */
export const rangeQuery = ({ month, from, to }: Range): { month?: string; from?: string; to?: string } =>
  from !== '' && to !== '' ? { from, to } : month === '' ? {} : { month };

interface RangeFieldsProps {
  readonly value: Range;
  readonly onChange: (changes: Partial<Range>) => void;
}

/** A month, or days in its place. */
export const RangeFields = ({ value, onChange }: RangeFieldsProps) => (
  <>
    <Field label="Month" type="month" value={value.month} onChange={(month) => onChange({ month, from: '', to: '' })} />
    <Field label="or from" type="date" value={value.from} onChange={(from) => onChange({ from })} />
    <Field label="to" type="date" value={value.to} onChange={(to) => onChange({ to })} />
  </>
);
