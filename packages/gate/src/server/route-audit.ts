import { Stream } from 'node:stream';
import type { Tariff } from '@keyfare/core/metering';
import { Injectable, RequestMethod, StreamableFile } from '@nestjs/common';
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
  /** It is for HEAD alone, whose answer has no body. */
  readonly headOnly: boolean;
  /** Its declared return type is a stream. */
  readonly streams: boolean;
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
      fault(
        handlers,
        ({ tariff, streams }) => tariff?.kind === 'priced' && streams,
        'A priced route must return its whole answer, for the receipt names its digest; streams are returned by',
      ),
      fault(
        handlers,
        ({ tariff, headOnly }) => tariff?.kind === 'priced' && headOnly,
        'A priced route answers no HEAD, for its answer would be charged in full and not sent; @Head() have',
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
        const streams = returnsStream(prototype, method);
        const headOnly = Reflect.getMetadata(METHOD_METADATA, handler) === RequestMethod.HEAD;
        const tariff = tariffOf(handler, metatype);
        return [{ controller: metatype.name, method, tariff, answersItself, headOnly, streams }];
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

/** What TypeScript noted as the return type; of a promise or an interface it notes nothing that helps. */
function returnsStream(prototype: object, method: string): boolean {
  const type: unknown = Reflect.getMetadata('design:returntype', prototype, method);
  if (typeof type !== 'function') return false;
  const bases: ReadonlySet<unknown> = new Set([StreamableFile, Stream, ReadableStream]);
  for (let base: unknown = type; typeof base === 'function'; base = Object.getPrototypeOf(base)) {
    if (bases.has(base)) return true;
  }
  return false;
}
