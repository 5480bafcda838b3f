import { Injectable } from '@nestjs/common';
import { type AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, onSendHookHandler, RouteOptions } from 'fastify';
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

/**
 * Finds the priced routes among those that Fastify gets, and puts hooks of ours first and last among their `onSend` hooks.
 * The adapter may wrap a handler, which loses its metadata; so the tariff is read where Nest hands the handler over.
 */
@Injectable()
export class PricedRoutes {
  readonly #routes: RouteOptions[] = [];
  #isPriced = false;

  constructor(host: HttpAdapterHost) {
    const adapter = host.httpAdapter as AbstractHttpAdapter & Partial<Record<string, Registrar>>;
    for (const name of registrars) {
      const register = adapter[name] as Registrar | undefined;
      if (register !== undefined) adapter[name] = this.#watching(register.bind(adapter)) as never;
    }
    adapter.getInstance<FastifyInstance>().addHook('onRoute', (route) => {
      if (this.#isPriced) this.#routes.push(route);
    });
  }

  /**
   * Puts `first` before and `last` after every other `onSend` hook of the priced routes, those that plugins added included.
   * Fastify reads a route's hooks when it gets ready, so call this once all routes are registered and before that.
   */
  surround(first: onSendHookHandler, last: onSendHookHandler): void {
    for (const route of this.#routes) {
      const hooks = [route.onSend ?? []].flat();
      route.onSend = [first, ...hooks, last];
    }
  }

  #watching(register: Registrar): Registrar {
    return (...args) => {
      const handler = args.at(-1);
      this.#isPriced = typeof handler === 'function' && tariffOf(handler, handler)?.kind === 'priced';
      try {
        return register(...args);
      } finally {
        this.#isPriced = false;
      }
    };
  }
}
