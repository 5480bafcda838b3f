import { useQueryClient } from '@tanstack/react-query';
import { type ComponentType, lazy, type ReactNode, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import { billing, ok } from '../api/client.js';
import { useSession } from '../api/hooks.js';
import { setSession } from '../api/session.js';
import { locales } from '../format/time.js';
import { Boundary } from '../ui/boundary.js';
import { Button } from '../ui/button.js';
import { Dialog, FormDialog } from '../ui/dialog.js';
import { Field, Select } from '../ui/fields.js';
import { Page } from '../ui/page.js';
import { Empty, Loading } from '../ui/states.js';
import { usePreferences, zones } from './preferences.js';
import { furtherRoutes, type Route as PageRoute, places } from './routes.js';
import { useShortcuts } from './shortcuts.js';

/** After the first view has what it needs. */
const prefetchMs = 1_500;

interface Body {
  readonly path: string;
  readonly load: PageRoute['load'];
  readonly Body: ComponentType;
}

const routes: readonly Body[] = [...places, ...furtherRoutes].map(({ path, load }) => ({
  path,
  load,
  Body: lazy(load),
}));

/** The frame of every page: where one can go, who has signed in, and what the keyboard does. */
export function Shell() {
  const [location, navigate] = useLocation();
  const main = useRef<HTMLElement>(null);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [isNavOpen, setNavOpen] = useState(false);
  useShortcuts(
    useMemo(
      () => ({
        go: Object.fromEntries(places.map(({ key, path }) => [key, () => navigate(path)])),
        help: () => setHelpOpen(true),
      }),
      [navigate],
    ),
  );
  // Further pages come while nobody waits: a connection that is lost later takes none of them away.
  useEffect(() => {
    const timer = setTimeout(() => void Promise.allSettled(routes.map(async ({ load }) => load())), prefetchMs);
    return () => clearTimeout(timer);
  }, []);
  // A new page begins at its top and tells its name to a screen reader.
  useEffect(() => {
    setNavOpen(false);
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [location]);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        To the page
      </a>
      <nav className={isNavOpen ? 'nav open' : 'nav'} aria-label="Pages">
        <div className="nav-top">
          <Link href="/" className="brand">
            Keyfare
          </Link>
          <button type="button" className="nav-toggle" aria-expanded={isNavOpen} onClick={() => setNavOpen(!isNavOpen)}>
            Menu
          </button>
        </div>
        <ul>
          {places.map(({ path, title, key }) => (
            <li key={path}>
              <Link
                href={path}
                aria-current={isUnder(location, path) ? 'page' : undefined}
                aria-keyshortcuts={`g ${key}`}
              >
                {title}
              </Link>
            </li>
          ))}
        </ul>
        <Me onHelp={() => setHelpOpen(true)} />
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <Boundary key={location}>
          <Suspense fallback={<Loading />}>
            <Switch>
              {routes.map(({ path, Body }) => (
                <Route key={path} path={path}>
                  <Body />
                </Route>
              ))}
              <Route>
                <Page title="Not found">
                  <Empty>There is no such page.</Empty>
                </Page>
              </Route>
            </Switch>
          </Suspense>
        </Boundary>
      </main>
      <Help isOpen={isHelpOpen} onClose={() => setHelpOpen(false)} />
    </div>
  );
}

const isUnder = (location: string, path: string): boolean =>
  path === '/' ? location === '/' : location === path || location.startsWith(`${path}/`);

function Me({ onHelp }: { readonly onHelp: () => void }) {
  const { operator } = useSession();
  const queries = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const [isPasswordOpen, setPasswordOpen] = useState(!operator.hasPassword);
  const leave = async (): Promise<void> => {
    await billing.DELETE('/session');
    queries.clear();
    setSession(null);
  };
  return (
    <div className="me">
      <bdi className="me-name" title={operator.name}>
        {operator.name}
      </bdi>
      <span className="muted">{operator.role ?? operator.scopes.join(', ')}</span>
      <div className="actions">
        <Button look="quiet" onPress={() => setOpen(true)}>
          Settings
        </Button>
        <Button look="quiet" onPress={onHelp} aria-label="Keyboard help">
          ?
        </Button>
        <Button look="quiet" onPress={() => void leave()}>
          Sign out
        </Button>
      </div>
      <Dialog title="Settings of this browser" isOpen={isOpen} onClose={() => setOpen(false)}>
        <PreferenceFields />
        <div className="actions">
          <Button
            onPress={() => {
              setOpen(false);
              setPasswordOpen(true);
            }}
          >
            Set a password
          </Button>
          <Button look="primary" onPress={() => setOpen(false)}>
            Done
          </Button>
        </div>
      </Dialog>
      <PasswordDialog isOpen={isPasswordOpen} isFirst={!operator.hasPassword} onClose={() => setPasswordOpen(false)} />
    </div>
  );
}

function PreferenceFields() {
  const { locale, timeZone, theme, set } = usePreferences();
  return (
    <>
      <Select
        label="Numbers and dates"
        value={locale}
        onChange={(id) => set({ locale: locales.find((name) => name === id) ?? 'en-GB' })}
        choices={locales.map((id) => ({ id, label: new Intl.DisplayNames(id, { type: 'language' }).of(id) ?? id }))}
      />
      <Select
        label="Time zone"
        value={timeZone}
        onChange={(zone) => set({ timeZone: zone })}
        choices={zones().map((id) => ({ id, label: id }))}
        hint="Months and days of the books are in UTC."
      />
      <Select
        label="Colours"
        value={theme}
        onChange={(id) => set({ theme: id as typeof theme })}
        choices={[
          { id: 'system', label: 'As the system' },
          { id: 'light', label: 'Light' },
          { id: 'dark', label: 'Dark' },
        ]}
      />
    </>
  );
}

function PasswordDialog({
  isOpen,
  isFirst,
  onClose,
}: {
  readonly isOpen: boolean;
  readonly isFirst: boolean;
  readonly onClose: () => void;
}) {
  const [old, setOld] = useState('');
  const [wanted, setWanted] = useState('');
  return (
    <FormDialog
      title={isFirst ? 'Set a password' : 'Change the password'}
      action="Set"
      isOpen={isOpen}
      isReady={wanted.length >= 12 && (isFirst || old !== '')}
      onClose={onClose}
      onSubmit={async () => {
        setSession(
          await ok(billing.POST('/session/password', { body: isFirst ? { new: wanted } : { old, new: wanted } })),
        );
        setOld('');
        setWanted('');
      }}
    >
      <p>
        {isFirst ? 'A link has let you in, once. With a password you can come back.' : 'All your other sessions end.'}
      </p>
      {isFirst ? null : (
        <Field label="Old password" type="password" autoComplete="current-password" value={old} onChange={setOld} />
      )}
      <Field
        label="New password"
        type="password"
        autoComplete="new-password"
        value={wanted}
        onChange={setWanted}
        hint="At least 12 characters."
      />
    </FormDialog>
  );
}

const keys: readonly (readonly [string, ReactNode])[] = [
  ...places.map(({ key, title }) => [`g ${key}`, title] as const),
  ['j k ↑ ↓', 'The next row, the one before'],
  ['Enter', 'Open the row'],
  ['x', 'Select the row'],
  ['/', 'To the search'],
  ['Esc', 'Leave a dialog'],
  ['?', 'This help'],
];

const Help = ({ isOpen, onClose }: { readonly isOpen: boolean; readonly onClose: () => void }) => (
  <Dialog title="Keyboard" isOpen={isOpen} onClose={onClose}>
    <dl className="keys">
      {keys.map(([key, does]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
    <div className="actions">
      <Button look="primary" onPress={onClose} autoFocus>
        Close
      </Button>
    </div>
  </Dialog>
);
