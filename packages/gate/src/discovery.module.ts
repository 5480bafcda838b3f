import { type DynamicModule, Injectable, Module, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import {
  ApplicationConfig,
  DiscoveryService,
  HttpAdapterHost,
  MetadataScanner,
  ModulesContainer,
  DiscoveryModule as NestDiscoveryModule,
} from '@nestjs/core';
import type { OpenAPIObject } from '@nestjs/swagger';
import { describeAdmin } from './admin/swagger.js';
import { GateConfig } from './config.js';
import { createDocument, type OwnPage, type ServiceInfo } from './discovery/document.js';
import { querySchemas } from './discovery/query-schemas.js';
import { servePage } from './discovery/serve-page.js';
import { fastifyOf } from './fastify-of.js';
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
    for (const mount of new Set(['', this.config.mountPath])) {
      servePage(fastify, { path: `${mount}/openapi.json`, mimeType: json, text: () => JSON.stringify(this.document) });
    }
  }

  /** Nest has registered its routes. */
  onApplicationBootstrap(): void {
    describeAdmin();
    const parts = {
      modules: this.modules,
      config: this.application,
      host: this.host,
      querySchemas: querySchemas(this.discovery, this.scanner),
    };
    const { publicUrl } = this.config;
    const sold = this.routes.list();
    this.#document = createDocument(parts, { info: this.service.info, publicUrl, sold, pages: ownPages(publicUrl) });
  }
}

/**
 * What callers, crawlers and people find without asking anybody: `/openapi.json` and what is derived from it. Beside
 * `GateModule`; needs `@nestjs/swagger`.
 *
 * @example
 * imports: [GateModule.forRoot(), DiscoveryModule.forRoot({ title: 'Weather', description: 'Forecasts, by the call.' })]
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

/** The pages that are the gate's own, as callers find them. */
function ownPages(publicUrl: string): readonly OwnPage[] {
  const wellKnown = new URL(publicUrl).pathname === '/' ? '/.well-known' : '';
  const json = 'application/json';
  return [
    { path: '/.well-known/jwks.json', summary: 'The keys that receipts verify against (RFC 7517).', mimeType: json },
    { path: `${wellKnown}/did.json`, summary: 'The same keys as a did:web document.', mimeType: json },
    { path: '/receipts/{id}', summary: 'A receipt as it was signed: a compact JWS.', mimeType: 'application/jose' },
    { path: '/problems/{room}/{code}', summary: 'What a problem means, and what to do about it.', mimeType: json },
  ];
}

export type { ServiceInfo } from './discovery/document.js';
