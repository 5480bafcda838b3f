import type { Tariff } from '@keyfare/core/metering';
import { Injectable } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/internal';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { tariffOf } from './tariff.js';

/** A route's handler, and what it declares. */
export interface Handler {
  readonly controller: string;
  readonly method: string;
  readonly tariff: Tariff | undefined;
}

/**
 * Looks at every route before the first request. A handler that is neither priced nor free stops the boot: a gate that
 * lets through what it does not know is no gate.
 */
@Injectable()
export class RouteAudit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** Throws an error that names every handler without a tariff. */
  check(): void {
    const bare = this.handlers().filter(({ tariff }) => tariff === undefined);
    if (bare.length === 0) return;
    const names = bare.map(({ controller, method }) => `${controller}.${method}`);
    throw new Error(`Every route must be @Priced(…) or @Free(). These are neither: ${names.join(', ')}.`);
  }

  /** Every handler of every controller, with what it declares. */
  handlers(): readonly Handler[] {
    return this.discovery.getControllers().flatMap(({ instance, metatype }) => {
      if (typeof metatype !== 'function' || instance === undefined || instance === null) return [];
      const prototype = Object.getPrototypeOf(instance) as Record<string, unknown>;
      return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
        const handler = prototype[method];
        if (typeof handler !== 'function' || Reflect.getMetadata(METHOD_METADATA, handler) === undefined) return [];
        return [{ controller: metatype.name, method, tariff: tariffOf(handler, metatype) }];
      });
    });
  }
}
