import { type Standstill, standstillClasses } from '../../standstills.js';
import type { Check } from './check.js';

/** Books that are not of the present, for longer than is normal: what is missing from them, no other check can find. */
export function checkStandstills(found: readonly Standstill[]): Check {
  return {
    name: 'standstills',
    classes: standstillClasses,
    text: `
      select class, subject, keys, null::text as asset, null::numeric as amount,
        case class when 'intake-stalled' then 'receipt' else 'chain' end as side, detail
      from unnest($3::text[], $4::text[], $5::jsonb[], $6::text[]) as t (class, subject, keys, detail)`,
    values: [
      found.map((standstill) => standstill.class),
      found.map(({ subject }) => subject),
      found.map(({ keys }) => JSON.stringify(keys)),
      found.map(({ detail }) => detail),
    ],
  };
}
