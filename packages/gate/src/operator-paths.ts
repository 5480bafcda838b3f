import { watchHandedRoutes } from './handed-routes.js';
import { pathOf, toPattern } from './path-pattern.js';

const operatorKey = Symbol('keyfare:operator-route');

/** Marks a handler as one of operators, for whom other rules hold than for calls. */
export function markOperatorHandler(handler: object): void {
  Reflect.defineMetadata(operatorKey, true, handler);
}

/** Tells the routes of operators, where their prefixes and versions put them, from all others of one application. */
export class OperatorPaths {
  readonly #routes = new Set<string>();
  readonly #patterns: RegExp[] = [];

  constructor(adapter: object) {
    watchHandedRoutes(adapter, ({ url }, handler) => {
      if (Reflect.getMetadata(operatorKey, handler) !== true || this.#routes.has(url)) return;
      this.#routes.add(url);
      this.#patterns.push(toPattern(url));
    });
  }

  /** Whether a route, as it was declared, is an operators' one. */
  hasRoute(route: string): boolean {
    return this.#routes.has(route);
  }

  /** Whether a target leads to such a route: for requests that have none of their own, as preflights. */
  leadsThere(target: string): boolean {
    const path = pathOf(target);
    return this.#patterns.some((pattern) => pattern.test(path));
  }
}

const known = new WeakMap<object, OperatorPaths>();

/** Those of an application's adapter. To be asked for before routes are registered. */
export function operatorPathsOf(adapter: object): OperatorPaths {
  let paths = known.get(adapter);
  if (paths === undefined) known.set(adapter, (paths = new OperatorPaths(adapter)));
  return paths;
}
