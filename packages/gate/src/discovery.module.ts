import type { Problem } from '@keyfare/core/problem';
import {
  type DynamicModule,
  Injectable,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import {
  ApplicationConfig,
  DiscoveryService,
  HttpAdapterHost,
  MetadataScanner,
  ModulesContainer,
  DiscoveryModule as NestDiscoveryModule,
} from '@nestjs/core';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { describeAdmin } from './admin/swagger.js';
import { GateConfig } from './config.js';
import { showsCredential } from './credential/extract.js';
import { describeRoute } from './discovery/bazaar.js';
import { createDocument, type OwnPage, operationsOf, type ServiceInfo } from './discovery/document.js';
import { writeLlmsText } from './discovery/llms-text.js';
import { prefersHtml, writePaymentPage } from './discovery/payment-page.js';
import { writePriceList } from './discovery/price-list.js';
import { servePrices } from './discovery/price-pages.js';
import { querySchemas } from './discovery/query-schemas.js';
import { servePage } from './discovery/serve-page.js';
import { writeWellKnown } from './discovery/well-known.js';
import { Preflight, preflightRequest, preflightVerdict } from './exchange/preflight.js';
import { fastifyOf } from './fastify-of.js';
import { PriceService } from './price/price.service.js';
import { priceTerms } from './price-terms.js';
import { RouteDescriptions } from './route-descriptions.js';
import { SoldRoutes } from './sold-routes.js';

/** What a service says of itself. */
export interface DiscoveryOptions extends ServiceInfo {
  /** The module of the gate, where that is not global. @default [] */
  readonly imports?: NonNullable<DynamicModule['imports']>;
}

/** The options, for injection. */
class Service {
  constructor(readonly info: ServiceInfo) {}
}

/** Writes the documents once all routes are there, and serves them as they were written. */
@Injectable()
export class Discovery implements OnModuleInit, OnApplicationBootstrap {
  readonly #logger = new Logger('Discovery');
  #document: OpenAPIObject | undefined;

  constructor(
    private readonly service: Service,
    private readonly host: HttpAdapterHost,
    private readonly modules: ModulesContainer,
    private readonly application: ApplicationConfig,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly config: GateConfig,
    private readonly routes: SoldRoutes,
    private readonly descriptions: RouteDescriptions,
    private readonly preflight: Preflight,
    private readonly prices: PriceService,
  ) {}

  /** The OpenAPI document. Throws before the application has started. */
  get document(): OpenAPIObject {
    if (this.#document === undefined) throw new Error('the application has not registered its routes yet');
    return this.#document;
  }

  /** Every `onRoute` hook of the gate is there by now. */
  onModuleInit(): void {
    const fastify = fastifyOf(this.host);
    const json = 'application/json; charset=utf-8';
    fastify.decorate('refusalPage', (problem: Problem, request: FastifyRequest) => {
      const isForPeople =
        problem.code === 'payment/required' && request.method === 'GET' && prefersHtml(request.headers.accept);
      if (!isForPeople || showsCredential(request)) return undefined;
      return writePaymentPage(problem, { ...this.service.info, base: pathOf(this.config.publicUrl) });
    });
    for (const mount of new Set(['', this.config.mountPath])) {
      this.preflight.serve(`${mount}/preflight`);
      servePrices(fastify, { mount, records: this.prices, list: () => this.#priceList() });
      servePage(fastify, { path: `${mount}/openapi.json`, mimeType: json, text: () => JSON.stringify(this.document) });
      servePage(fastify, { path: `${mount}/.well-known/x402`, mimeType: json, text: () => this.#wellKnown() });
      servePage(fastify, {
        path: `${mount}/llms.txt`,
        mimeType: 'text/plain; charset=utf-8',
        text: () => this.#llms(),
      });
    }
  }

  /** Nest has registered its routes. */
  async onApplicationBootstrap(): Promise<void> {
    describeAdmin();
    const parts = {
      modules: this.modules,
      config: this.application,
      host: this.host,
      querySchemas: querySchemas(this.discovery, this.scanner),
    };
    const { publicUrl, mountPath } = this.config;
    const sold = this.routes.list();
    const document = createDocument(parts, {
      info: this.service.info,
      publicUrl,
      mountPath,
      sold,
      pages: ownPages(publicUrl),
    });
    this.#document = document;
    const link = linksTo(publicUrl);
    for (const { path, method: name, operation } of operationsOf(document)) {
      const method = name.toUpperCase();
      const route = sold.find((one) => one.path === path && one.method === method);
      if (route !== undefined)
        this.descriptions.describe(route, describeRoute(operation, { path, method, document, link }));
    }
    // No call needs it: whoever asks for the list first tries again.
    await this.#record().catch((error: unknown) => this.#logger.warn(error));
  }

  /** When each price on offer was first seen. */
  async #record(): Promise<ReadonlyMap<string, Date>> {
    const products = this.routes.list().flatMap((route) => route.products);
    return this.prices.record(products.map(priceTerms));
  }

  async #priceList(): Promise<string> {
    return JSON.stringify(writePriceList(this.routes.list(), await this.#record()));
  }

  #llms(): string {
    const { paths } = this.document;
    const { publicUrl } = this.config;
    return writeLlmsText(this.routes.list(), { publicUrl, ...this.service.info }, ({ path, method }) => {
      return paths[path]?.[method.toLowerCase() as 'get']?.summary;
    });
  }

  #wellKnown(): string {
    const { publicUrl } = this.config;
    return JSON.stringify(writeWellKnown(this.routes.list(), { publicUrl, ...this.service.info }));
  }
}

/**
 * What callers, crawlers and people find without asking anybody: `/openapi.json` and what is derived from it. Beside
 * `GateModule`; needs `@nestjs/swagger`.
 *
 * @example
 * imports: [GateModule.forRoot(), DiscoveryModule.forRoot({ title: 'Weather', description: 'Forecasts, by the call.'
 * })]
 */
@Module({})
export class DiscoveryModule {
  static forRoot({ imports = [], ...info }: DiscoveryOptions): DynamicModule {
    return {
      module: DiscoveryModule,
      imports: [NestDiscoveryModule, ...imports],
      providers: [{ provide: Service, useValue: new Service(info) }, MetadataScanner, Discovery],
      exports: [Discovery],
    };
  }
}

/** RFC 8631: the description for machines, and the documentation. */
function linksTo(publicUrl: string): string {
  const base = pathOf(publicUrl);
  return `<${base}/openapi.json>; rel="service-desc"; type="application/json", <${base}/llms.txt>; rel="service-doc"; type="text/plain"`;
}

/** The path of the public URL, without a slash at its end. */
function pathOf(publicUrl: string): string {
  return new URL(publicUrl).pathname.replace(/\/$/, '');
}

/** The pages that are the gate's own, as callers find them. */
function ownPages(publicUrl: string): readonly OwnPage[] {
  const wellKnown = new URL(publicUrl).pathname === '/' ? '/.well-known' : '';
  const json = 'application/json';
  return [
    { path: '/llms.txt', summary: 'How to call and to pay, for language models.', mimeType: 'text/plain' },
    {
      path: '/preflight',
      summary: 'What would become of a call, with the credential of this request; for nothing.',
      mimeType: json,
      post: { takes: preflightRequest, answers: preflightVerdict },
    },
    { path: '/prices', summary: 'Each price that is on offer, by its id.', mimeType: json },
    { path: '/prices/{id}', summary: 'A price that is or was on offer.', mimeType: json },
    { path: '/prices/skus/{sku}', summary: 'The prices that a product has had.', mimeType: json },
    { path: '/.well-known/x402', summary: 'All that is sold, for crawlers of x402.', mimeType: json },
    { path: '/.well-known/jwks.json', summary: 'The keys that receipts verify against (RFC 7517).', mimeType: json },
    { path: `${wellKnown}/did.json`, summary: 'The same keys as a did:web document.', mimeType: json },
    { path: '/receipts/{id}', summary: 'A receipt as it was signed: a compact JWS.', mimeType: 'application/jose' },
    { path: '/problems/{room}/{code}', summary: 'What a problem means, and what to do about it.', mimeType: json },
  ];
}

export type { ServiceInfo } from './discovery/document.js';
