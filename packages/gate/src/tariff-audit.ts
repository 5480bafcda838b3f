import type { FreeCalls, PricedTariff, Product } from '@keyfare/core/metering';
import { findNetwork, tokenBySymbol } from '@keyfare/core/x402';
import { Injectable, RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/internal';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { ConfigurationError, GateConfig } from './config.js';
import { Networks } from './networks.js';
import { dearestDeferred } from './payment-config.js';
import { lossOf } from './production-config.js';
import { tariffFaultsOf, tariffOf } from './route-tariff.js';

/** What bounds the deferred payments in each asset. */
const openSettings = {
  USDC: ['MAX_OPEN_PER_PAYER_USD', 'MAX_OPEN_TOTAL_USD'],
  EURC: ['MAX_OPEN_PER_PAYER_EUR', 'MAX_OPEN_TOTAL_EUR'],
} as const;

/** A route that gives calls of a product away. */
export interface FreeRoute {
  /** Method and path as they are declared, and the handler. */
  readonly name: string;
  readonly sku: string;
  readonly free: FreeCalls;
}

/**
 * Compares what the routes ask with what the gate is configured for, before the first request: what can never be paid,
 * or is paid to nobody, stops the start.
 */
@Injectable()
export class TariffAudit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly config: GateConfig,
    private readonly networks: Networks,
  ) {}

  /** Throws a `ConfigurationError` with the faults of all routes, each by the name of its route. */
  check(): void {
    const faults = this.#routes().flatMap(({ name, handler, tariff }) => {
      const own = [...tariffFaultsOf(handler), ...(tariff?.kind === 'priced' ? this.#faultsOf(tariff, handler) : [])];
      return own.map((fault) => `${name}: ${this.config.inOptionNames(fault)}`);
    });
    faults.push(...unlikeFaults(this.freeRoutes()));
    if (faults.length > 0) throw new ConfigurationError(faults);
  }

  /** The routes that give calls away, and what each declares of it. */
  freeRoutes(): readonly FreeRoute[] {
    return this.#routes().flatMap(({ name, tariff }) => {
      if (tariff?.kind !== 'priced' || tariff.free === undefined) return [];
      const { free } = tariff;
      return tariff.products.map(({ sku }) => ({ name, sku, free }));
    });
  }

  #routes() {
    return this.discovery.getControllers().flatMap(({ instance, metatype }) => {
      if (typeof metatype !== 'function' || instance === undefined || instance === null) return [];
      const prototype = Object.getPrototypeOf(instance) as Record<string, unknown>;
      return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
        const handler = prototype[method];
        if (typeof handler !== 'function' || Reflect.getMetadata(METHOD_METADATA, handler) === undefined) return [];
        const name = `${routeOf(metatype, handler)} (${metatype.name}.${method})`;
        return [{ name, handler, tariff: tariffOf(handler, metatype) }];
      });
    });
  }

  #faultsOf({ products, readsBody }: PricedTariff, handler: object): readonly string[] {
    const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod;
    const isBodiless = method === RequestMethod.GET || method === RequestMethod.HEAD;
    const own = products.flatMap((product) => {
      const faults = [...this.#productFaults(product), ...this.#alikeFaults(product)];
      return products.length === 1 ? faults : faults.map((fault) => `sku "${product.sku}": ${fault}`);
    });
    return readsBody && isBodiless ? [...own, `reads the body of a ${RequestMethod[method]}, which nobody reads`] : own;
  }

  /** What offers leave out is the gate's: two that were written differently may be the same for a payment. */
  #alikeFaults({ offers = [], price }: Product): readonly string[] {
    const figures = [...new Set(offers.map((offer) => offer.price ?? price))];
    const keys = offers.map((offer) => {
      const { network: given = this.config.network.caip2, asset = 'USDC', payTo, price: figure = price } = offer;
      const settings = this.networks.find(given)?.settings;
      const amount = figure.of === undefined ? figure.max.atomic : `of ${figures.indexOf(figure)}`;
      return `${given} ${asset} ${payTo ?? settings?.payTo} ${amount}`;
    });
    return new Set(keys).size < keys.length ? ['accepts has two offers that a payment cannot tell apart'] : [];
  }

  #productFaults({ offers = [], price }: Product): readonly string[] {
    const { deferred, isProduction, network } = this.config;
    return offers.flatMap((offer) => {
      const found = offer.network === undefined ? network : findNetwork(offer.network);
      const access = found === null ? undefined : this.networks.find(found.caip2);
      if (found === null) return [];
      if (access === undefined) return [`accepts asks for payments on ${found.name}, which is not in NETWORKS`];
      const { asset = 'USDC' } = offer;
      const faults: string[] = [];
      if (tokenBySymbol(found, asset) === null)
        faults.push(`accepts asks for ${asset}, which is not taken on ${found.name}`);
      if (offer.flow === 'deferred') {
        const dearest = dearestDeferred(deferred.limits[asset]);
        const [perPayer, total] = openSettings[asset];
        if (dearest === null) {
          faults.push(`accepts defers payments in ${asset}: set ${perPayer} and ${total}, or another flow`);
        } else if ((offer.price ?? price).max.atomic > dearest) {
          faults.push(`the price is deferred and above ${perPayer} or ${total}: nobody could pay it`);
        }
      }
      if (isProduction && offer.payTo !== undefined) {
        const wallets = [access.wallet, ...access.previousWallets];
        if (wallets.some(({ address }) => address === offer.payTo)) {
          faults.push('payTo is the settler: pay to a wallet whose key is on no server');
        }
        faults.push(...lossOf('payTo', 'PAY_TO', offer.payTo));
      }
      return faults;
    });
  }
}

/** Routes of one product share its free calls, so they must say the same of them. */
function unlikeFaults(routes: readonly FreeRoute[]): readonly string[] {
  return routes.flatMap(({ name, sku, free }) => {
    const first = routes.find((route) => route.sku === sku);
    const isLike = (['calls', 'per', 'period', 'total'] as const).every(
      (member) => first?.free[member] === free[member],
    );
    return isLike ? [] : [`${name}: free must be as that of ${first?.name}, which sells the same sku`];
  });
}

/** Method and path as they are declared. */
function routeOf(controller: object, handler: object): string {
  const paths = [controller, handler].map((where) => [Reflect.getMetadata(PATH_METADATA, where) ?? ''].flat()[0]);
  const path = paths.map((part) => String(part).replaceAll(/^\/+|\/+$/g, '')).filter((part) => part !== '');
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod];
  return `${method} /${path.join('/')}`;
}
