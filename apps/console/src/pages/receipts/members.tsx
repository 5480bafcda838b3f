import { formatMoment } from '../../format/time.js';
import { tokenAmount } from '../../format/token.js';
import { usePreferences } from '../../shell/preferences.js';
import { Money } from '../../ui/values.js';
import { meaningOf, secondsMembers } from './words.js';

type Payload = Readonly<Record<string, unknown>>;

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** The members of a document, each with what it means. */
export const Members = ({ of, caption }: { readonly of: Payload; readonly caption: string }) => (
  <div className="scroll" tabIndex={0} role="region" aria-label={caption}>
    <table className="plain members">
      <thead>
        <tr>
          <th scope="col">{caption}</th>
          <th scope="col">Value</th>
          <th scope="col">Meaning</th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(of).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <bdi className="wrap">{text(value)}</bdi> <Said name={name} value={value} payload={of} />
            </td>
            <td className="muted">{meaningOf(name)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

/** The same for people, where that is another thing. */
function Said({ name, value, payload }: { readonly name: string; readonly value: unknown; readonly payload: Payload }) {
  const preferences = usePreferences();
  if (secondsMembers.has(name) && typeof value === 'number' && Math.abs(value) < 8e9) {
    return (
      <span className="muted">
        {formatMoment(new Date(value * 1_000).toISOString(), preferences)} {preferences.timeZone}
      </span>
    );
  }
  const { network, asset } = payload;
  if (
    name === 'amount' &&
    typeof value === 'string' &&
    /^\d+$/.test(value) &&
    typeof network === 'string' &&
    typeof asset === 'string'
  ) {
    const known = tokenAmount({ network, asset }, value);
    return known === null ? null : <Money amount={known.amount} asset={known.asset} />;
  }
  return null;
}
