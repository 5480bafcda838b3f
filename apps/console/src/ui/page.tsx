import type { ReactNode } from 'react';
import { useEffect } from 'react';
import { Link } from 'wouter';

interface PageProps {
  readonly title: string;
  /** The page above, for the way back. */
  readonly above?: { readonly href: string; readonly title: string };
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** One page: its heading, its name in the browser, what can be done on it. */
export function Page({ title, above, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Keyfare`;
  }, [title]);
  return (
    <>
      <header className="page-header">
        <div>
          {above === undefined ? null : (
            <Link className="above" href={above.href}>
              {above.title}
            </Link>
          )}
          <h1 tabIndex={-1}>{title}</h1>
        </div>
        {actions === undefined ? null : <div className="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

/** A part of a page under a heading. */
export const Section = ({
  title,
  actions,
  children,
}: {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) => (
  <section className="section">
    <header>
      <h2>{title}</h2>
      {actions === undefined ? null : <div className="actions">{actions}</div>}
    </header>
    {children}
  </section>
);

/** A number that leads to its list. */
export function Stat({
  label,
  href,
  tone,
  children,
}: {
  readonly label: string;
  readonly href?: string;
  readonly tone?: 'bad' | 'warn';
  readonly children: ReactNode;
}) {
  const body = (
    <>
      <span className="stat-label">{label}</span>
      <span className={`stat-value ${tone ?? ''}`}>{children}</span>
    </>
  );
  return href === undefined ? (
    <div className="stat">{body}</div>
  ) : (
    <Link className="stat" href={href}>
      {body}
    </Link>
  );
}

/** Names and their values. */
export const Facts = ({ of }: { readonly of: readonly (readonly [label: string, value: ReactNode])[] }) => (
  <dl className="facts">
    {of.map(([label, value]) => (
      <div key={label}>
        <dt>{label}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);

/** The same as a file. The API's route with the same filters, so that curl gets the same. */
export function Exports({
  path,
  query = {},
}: {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString();
  const file = path.slice(path.lastIndexOf('/') + 1);
  return (
    <a className="button quiet" href={`${path}.csv${search === '' ? '' : `?${search}`}`} download={`${file}.csv`}>
      Export CSV
    </a>
  );
}
