import { type DynamicModule, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { collectDefaultMetrics } from 'prom-client';
import { ConfigurationError } from './config.js';
import { fastifyOf } from './fastify-of.js';
import { GateMetrics } from './metrics.js';
import { Watch } from './server/watch.js';

/** Who may see the metrics. One of these must be said. */
export interface MetricsOptions {
  /** Who shows this as a bearer token: at least 32 characters. @default none */
  readonly token?: string;
  /** Who asks on this port, where nothing else is answered; 0 for any. @default none */
  readonly port?: number;
  /** The address of that port. @default '127.0.0.1' */
  readonly host?: string;
  /** Everybody. @default false */
  readonly isPublic?: boolean;
  /** Who a server lets in that opens the port itself (`startServer`); instead of all the others. @default none */
  readonly watch?: Watch;
  /** The module of the gate, where that is not global. @default [] */
  readonly imports?: NonNullable<DynamicModule['imports']>;
}

/** How the port is opened; undefined where the server does that. */
class WatchHost {
  constructor(readonly address: string | undefined) {}
}

/** A route of Fastify, which a host's prefix and interceptors do not move or change. */
@Injectable()
class MetricsPage implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly metrics: GateMetrics,
    private readonly watch: Watch,
    watchHost: WatchHost,
  ) {
    collectDefaultMetrics({ register: metrics.registry });
    const { address } = watchHost;
    if (address === undefined) return;
    const fastify = fastifyOf(host);
    watch.guard(fastify);
    fastify.addHook('onReady', async () => watch.open(fastify, address));
  }

  /** Every `onRoute` hook of the gate is there by now. */
  onModuleInit(): void {
    fastifyOf(this.host).get('/metrics', async (request, reply) => {
      this.watch.demandTrust(request);
      void reply.type('text/plain; version=0.0.4; charset=utf-8');
      return reply.send(await this.metrics.registry.metrics());
    });
  }
}

/**
 * What the gate and its process count, for Prometheus, at `/metrics`; strangers get 404 there. A host adds metrics of
 * its own to the `registry` of `GateMetrics`. Beside `GateModule`.
 *
 * @example
 * imports: [GateModule.forRoot(), MetricsModule.forRoot({ port: 9464 })]
 */
@Module({})
export class MetricsModule {
  /** Throws a `ConfigurationError` unless somebody is named who may see the metrics. */
  static forRoot({ imports = [], watch, ...options }: MetricsOptions): DynamicModule {
    if (watch === undefined) check(options);
    const { token, port, host = '127.0.0.1' } = options;
    return {
      module: MetricsModule,
      imports,
      providers: [
        { provide: Watch, useValue: watch ?? new Watch({ token, port }) },
        { provide: WatchHost, useValue: new WatchHost(watch === undefined ? host : undefined) },
        MetricsPage,
      ],
    };
  }
}

function check({ token, port, isPublic = false }: MetricsOptions): void {
  const faults: string[] = [];
  if (token === undefined && port === undefined && !isPublic) {
    faults.push('metrics must be for somebody: give a token, a port, or isPublic: true');
  }
  if (isPublic && (token !== undefined || port !== undefined)) {
    faults.push('isPublic must not be given beside a token or a port');
  }
  if (token !== undefined && (typeof token !== 'string' || token.length < 32)) {
    faults.push('token must have at least 32 characters');
  }
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    faults.push('port must be a port');
  if (faults.length > 0) throw new ConfigurationError(faults);
}

export { GateMetrics } from './metrics.js';
