import type { Tariff } from '@keyfare/core/metering';
import { Injectable } from '@nestjs/common';
import {
  METHOD_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
  RouteParamtypes,
  SSE_METADATA,
} from '@nestjs/common/internal';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { tariffOf } from '../route-tariff.js';

/** A route's handler, and what it declares. */
export interface Handler {
  readonly controller: string;
  readonly method: string;
  readonly tariff: Tariff | undefined;
  /** It writes its response, or streams it, without returning it. */
  readonly answersItself: boolean;
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

  /** Throws an error that names every handler without a tariff, and every priced one that answers past the gate. */
  check(): void {
    const handlers = this.handlers();
    const faults = [
      fault(handlers, ({ tariff }) => tariff === undefined, 'Every route must be @Priced(…) or @Free(); neither are'),
      fault(
        handlers,
        ({ tariff, answersItself }) => tariff?.kind === 'priced' && answersItself,
        'A priced route must return its answer, for the receipt names its digest; @Sse(), @Next() or @Res() without passthrough have',
      ),
    ].filter((text) => text !== null);
    if (faults.length > 0) throw new Error(faults.join('\n'));
  }

  /** Every handler of every controller, with what it declares. */
  handlers(): readonly Handler[] {
    return this.discovery.getControllers().flatMap(({ instance, metatype }) => {
      if (typeof metatype !== 'function' || instance === undefined || instance === null) return [];
      const prototype = Object.getPrototypeOf(instance) as Record<string, unknown>;
      return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
        const handler = prototype[method];
        if (typeof handler !== 'function' || Reflect.getMetadata(METHOD_METADATA, handler) === undefined) return [];
        const answersItself = writesResponse(metatype, method) || Reflect.getMetadata(SSE_METADATA, handler) === true;
        return [{ controller: metatype.name, method, tariff: tariffOf(handler, metatype), answersItself }];
      });
    });
  }
}

function fault(handlers: readonly Handler[], isFaulty: (handler: Handler) => boolean, text: string): string | null {
  const names = handlers.filter(isFaulty).map(({ controller, method }) => `${controller}.${method}`);
  return names.length === 0 ? null : `${text}: ${names.join(', ')}.`;
}

const handingOver: ReadonlySet<number> = new Set([RouteParamtypes.RESPONSE, RouteParamtypes.NEXT]);

/** As Nest decides it: a response or next parameter hands the response over, unless passthrough says otherwise. */
function writesResponse(controller: object, method: string): boolean {
  const parameters = Object.keys((Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) ?? {}) as object);
  const taken = parameters.some((key) => {
    return handingOver.has(Number(key.split(':')[0]));
  });
  return taken && Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, controller, method) !== true;
}
