import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { fastifyOf } from '../fastify-of.js';
import { pathOf, toPattern } from '../path-pattern.js';

/** Which methods exist at which address, so that a wrong method is told from a wrong address. */
@Injectable()
export class RouteTable {
  readonly #routes: { readonly method: string; readonly pattern: RegExp }[] = [];

  constructor(host: HttpAdapterHost) {
    const fastify = fastifyOf(host);
    fastify.addHook('onRoute', ({ method, url }) => {
      // The route that answers preflights is at every address and makes none.
      if (url === '*' || method === 'HEAD') return;
      for (const name of [method].flat()) this.#routes.push({ method: name, pattern: toPattern(url) });
    });
  }

  /**
   * The methods that routes exist for at this URL. HEAD is not listed: it goes where GET goes, but to no priced route.
   */
  methodsAt(url: string): readonly string[] {
    const path = pathOf(url);
    return [...new Set(this.#routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))];
  }
}
