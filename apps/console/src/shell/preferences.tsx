import {
  createContext,
  type ReactNode,
  use,
  useEffect,
  useLayoutEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react';
import { type Locale, locales, type TimeStyle } from '../format/time.js';

type Theme = 'system' | 'light' | 'dark';

/** How this browser shows things; nothing of it is on the server. */
export interface Preferences extends TimeStyle {
  readonly locale: Locale;
  readonly theme: Theme;
  /** Those of the theme, and of the system where it decides. */
  readonly colours: 'light' | 'dark';
  readonly set: (changes: Partial<Pick<Preferences, 'locale' | 'timeZone' | 'theme'>>) => void;
}

const kept = 'keyfare-console';
const Context = createContext<Preferences | undefined>(undefined);

type Stored = Pick<Preferences, 'locale' | 'timeZone' | 'theme'>;

function defaults(): Stored {
  const language = navigator.languages.find((name) => /^(de|en)\b/.test(name)) ?? 'en-GB';
  const locale = locales.find((name) => name === language) ?? (language.startsWith('de') ? 'de-DE' : 'en-GB');
  return { locale, timeZone: 'UTC', theme: 'system' };
}

function stored(): Stored {
  try {
    return { ...defaults(), ...(JSON.parse(localStorage.getItem(kept) ?? '{}') as Partial<Stored>) };
  } catch {
    // What is kept may be another version's, and a browser may keep nothing.
    return defaults();
  }
}

const systemIsDark = window.matchMedia('(prefers-color-scheme: dark)');

function watchSystem(changed: () => void): () => void {
  systemIsDark.addEventListener('change', changed);
  return () => systemIsDark.removeEventListener('change', changed);
}

export function PreferencesProvider({ children }: { readonly children: ReactNode }) {
  const [values, setValues] = useState(stored);
  useEffect(() => {
    try {
      localStorage.setItem(kept, JSON.stringify(values));
    } catch {
      // For this visit only, then.
    }
  }, [values]);
  const isDark = useSyncExternalStore(watchSystem, () => systemIsDark.matches);
  const colours = values.theme === 'system' ? (isDark ? 'dark' : 'light') : values.theme;
  // Before charts look at the colours.
  useLayoutEffect(() => {
    document.documentElement.dataset['theme'] = colours;
  }, [colours]);
  const preferences = useMemo(
    (): Preferences => ({ ...values, colours, set: (changes) => setValues((before) => ({ ...before, ...changes })) }),
    [values, colours],
  );
  return <Context value={preferences}>{children}</Context>;
}

export function usePreferences(): Preferences {
  const preferences = use(Context);
  if (preferences === undefined) throw new TypeError('there is no PreferencesProvider');
  return preferences;
}

/** The zones that are offered: UTC, which the books are in, and where this browser is. */
export function zones(): readonly string[] {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return here === 'UTC' ? ['UTC'] : ['UTC', here];
}
