import type { PricedTariff } from '@keyfare/core/metering';
import { Injectable } from '@nestjs/common';
import { type AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, onSendHookHandler, preParsingHookHandler, RouteOptions } from 'fastify';
import { tariffOf } from '../route-tariff.js';

/** What Nest registers routes with, by method; `all` and rarer methods among them. */
const registrars = [
  'get',
  'post',
  'put',
  'patch',
  'delete',
  'head',
  'options',
  'all',
  'search',
  'query',
  'propfind',
  'proppatch',
  'mkcol',
  'copy',
  'move',
  'lock',
  'unlock',
] as const;

type Registrar = (...args: unknown[]) => unknown;

/** What the gate puts around the hooks that others give a priced route. */
export interface Surrounding {
  /** Runs before the body is read. */
  readonly beforeBody: (tariff: PricedTariff) => preParsingHookHandler;
  /** The first and the last of the `onSend` hooks. */
  readonly first: onSendHookHandler;
  readonly last: onSendHookHandler;
}

/**
 * Finds the priced routes among those that Fastify gets, and puts hooks of ours around those of others.
 * The adapter may wrap a handler, which loses its metadata; so the tariff is read where Nest hands the handler over.
 */
@Injectable()
export class PricedRoutes {
  readonly #routes: { readonly route: RouteOptions; readonly tariff: PricedTariff }[] = [];
  #tariff: PricedTariff | undefined;

  constructor(host: HttpAdapterHost) {
    const adapter = host.httpAdapter as AbstractHttpAdapter & Partial<Record<string, Registrar>>;
    for (const name of registrars) {
      const register = adapter[name] as Registrar | undefined;
      if (register !== undefined) adapter[name] = this.#watching(register.bind(adapter)) as never;
    }
    adapter.getInstance<FastifyInstance>().addHook('onRoute', (route) => {
      if (this.#tariff !== undefined) this.#routes.push({ route, tariff: this.#tariff });
    });
  }

  /**
   * Adds the hooks. Fastify reads a route's hooks when it gets ready, so call this once all routes are registered, with the
   * hooks that plugins add to them, and before that.
   */
  surround({ beforeBody, first, last }: Surrounding): void {
    for (const { route, tariff } of this.#routes) {
      route.onSend = [first, ...[route.onSend ?? []].flat(), last];
      // Nobody reads the body of a GET: there the guard is early enough.
      const readsBodies = [route.method].flat().some((method) => method !== 'GET' && method !== 'HEAD');
      if (readsBodies) route.preParsing = [beforeBody(tariff), ...[route.preParsing ?? []].flat()];
    }
  }

  #watching(register: Registrar): Registrar {
    return (...args) => {
      const handler = args.at(-1);
      const tariff = typeof handler === 'function' ? tariffOf(handler, handler) : undefined;
      this.#tariff = tariff?.kind === 'priced' ? tariff : undefined;
      try {
        return register(...args);
      } finally {
        this.#tariff = undefined;
      }
    };
  }
}
