import { inspect } from 'node:util';

/** The object itself, which loggers and inspectors show by its name alone: there are secrets in it. */
export function unprintable<T extends object>(name: string, value: T): T {
  const show = { value: () => `[${name}]` };
  return Object.defineProperties(value, { toJSON: show, [inspect.custom]: show });
}
