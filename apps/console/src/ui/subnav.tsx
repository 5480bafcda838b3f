import { Link, useLocation } from 'wouter';

interface SubNavProps {
  readonly label: string;
  readonly of: readonly { readonly href: string; readonly title: string }[];
}

/** The pages that belong together, on each of them. The longest address that one is under is the current one. */
export function SubNav({ label, of }: SubNavProps) {
  const [location] = useLocation();
  const [current] = of
    .filter(({ href }) => location === href || location.startsWith(`${href}/`))
    .toSorted((one, other) => other.href.length - one.href.length);
  return (
    <nav className="tabs" aria-label={label}>
      {of.map(({ href, title }) => (
        <Link key={href} href={href} aria-current={href === current?.href ? 'page' : undefined}>
          {title}
        </Link>
      ))}
    </nav>
  );
}
