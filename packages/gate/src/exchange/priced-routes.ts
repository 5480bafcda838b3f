import type { PricedTariff } from '@keyfare/core/metering';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { onSendHookHandler, preParsingHookHandler, RouteOptions } from 'fastify';
import { fastifyOf } from '../fastify-of.js';
import { watchHandedRoutes } from '../handed-routes.js';
import { pathOf, toLenientPattern } from '../path-pattern.js';
import { tariffOf } from '../route-tariff.js';

/** What the gate puts around the hooks that others give a priced route. */
export interface Surrounding {
  /** Runs before the body is read. */
  readonly beforeBody: (tariff: PricedTariff) => preParsingHookHandler;
  /** The first and the last of the `onSend` hooks. */
  readonly first: onSendHookHandler;
  readonly last: onSendHookHandler;
}

/** Finds the priced routes among those that Fastify gets, and puts hooks of ours around those of others. */
@Injectable()
export class PricedRoutes {
  readonly #routes: { readonly route: RouteOptions; readonly pattern: RegExp; readonly tariff: PricedTariff }[] = [];

  constructor(host: HttpAdapterHost) {
    fastifyOf(host);
    watchHandedRoutes(host.httpAdapter, (route, handler) => {
      const tariff = tariffOf(handler, handler);
      if (tariff?.kind !== 'priced') return;
      route.config = { ...route.config, isPriced: true };
      this.#routes.push({ route, pattern: toLenientPattern(route.url), tariff });
    });
  }

  /** Each priced route of the application, once for each of its methods; HEAD and OPTIONS are not sold. */
  list(): readonly { readonly method: string; readonly url: string; readonly tariff: PricedTariff }[] {
    return this.#routes.flatMap(({ route, tariff }) => {
      return methodsOf(route).map((method) => ({ method, url: route.url, tariff }));
    });
  }

  /** The methods of the priced routes that may answer this target; which one does is the router's to say. */
  methodsAt(target: string): readonly string[] {
    const path = pathOf(target);
    const sold = this.#routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ route }) => methodsOf(route));
    return [...new Set(sold)];
  }

  /**
   * Adds the hooks. Fastify reads a route's hooks when it gets ready, so call this once all routes are registered, with
   * the hooks that plugins add to them, and before that.
   */
  surround({ beforeBody, first, last }: Surrounding): void {
    for (const { route, tariff } of this.#routes) {
      route.onSend = [first, ...[route.onSend ?? []].flat(), last];
      // Nobody reads the body of a GET: there the guard is early enough.
      const readsBodies = [route.method].flat().some((method) => method !== 'GET' && method !== 'HEAD');
      if (readsBodies) route.preParsing = [beforeBody(tariff), ...[route.preParsing ?? []].flat()];
    }
  }
}

/** HEAD and OPTIONS are not sold. */
function methodsOf({ method }: RouteOptions): readonly string[] {
  return [method].flat().filter((name) => name !== 'HEAD' && name !== 'OPTIONS');
}
