import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';

/**
 * The Fastify instance of the application. Throws an error that says what to do where the application is on Express.
 */
export function fastifyOf(host: HttpAdapterHost): FastifyInstance {
  // An application context without HTTP has no adapter, whatever its type says.
  const adapter = host.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
  const kind = adapter?.getType();
  if (adapter === undefined || kind !== 'fastify') {
    const found = kind === 'express' ? 'on Express' : 'without Fastify';
    throw new TypeError(
      `Keyfare needs Nest on Fastify, and this application is ${found}: install @nestjs/platform-fastify, and create it ` +
        'with NestFactory.create(AppModule, new FastifyAdapter())',
    );
  }
  return adapter.getInstance<FastifyInstance>();
}
