import { Dash } from './values.js';

/** A value as it was recorded, in as few words as it can be. */
const say = (value: unknown): string => {
  if (value === null || value === undefined) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
};

/** Its members by path, as deep as they go. */
function flatten(value: unknown, path = '', into = new Map<string, unknown>()): ReadonlyMap<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) into.set(path, value);
  else for (const [name, inner] of Object.entries(value)) flatten(inner, path === '' ? name : `${path}.${name}`, into);
  return into;
}

interface Difference {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** What an act changed, by member. */
function differences(before: unknown, after: unknown): readonly Difference[] {
  const [old, now] = [flatten(before ?? {}), flatten(after ?? {})];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((path) => path !== '' && say(old.get(path)) !== say(now.get(path)))
    .map((path) => ({ path, before: say(old.get(path)), after: say(now.get(path)) }));
}

/** Before and after of a change in the audit log. */
export function Changes({ before, after }: { readonly before: unknown; readonly after: unknown }) {
  const all = differences(before, after);
  if (all.length === 0) return <Dash />;
  return (
    <dl className="changes">
      {all.map(({ path, before: old, after: now }) => (
        <div key={path}>
          <dt>{path}</dt>
          <dd>
            {old === '–' ? null : (
              <>
                <del>
                  <bdi>{old}</bdi>
                </del>{' '}
                →{' '}
              </>
            )}
            <bdi>{now}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}
