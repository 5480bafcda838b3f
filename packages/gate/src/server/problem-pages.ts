import { catalogue, isProblemCode, Problem } from '@keyfare/core/problem';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { GateConfig } from '../config.js';
import { fastifyOf } from '../fastify-of.js';

/**
 * The pages that a problem's `type` leads to; routes of Fastify, which a host's prefix and interceptors do not move or
 * change.
 */
@Injectable()
export class ProblemPages implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly config: GateConfig,
  ) {}

  /** Every `onRoute` hook of the gate is there by now. */
  onModuleInit(): void {
    const fastify = fastifyOf(this.host);
    for (const mount of new Set(['', this.config.mountPath])) {
      fastify.get<{ Params: { room: string; code: string } }>(`${mount}/problems/:room/:code`, ({ params }, reply) => {
        const code = `${params.room}/${params.code}`;
        if (!isProblemCode(code)) throw new Problem('request/not-found');
        const { status, title, remedy } = catalogue[code];
        void reply.header('cache-control', 'public, max-age=3600').type('application/json; charset=utf-8');
        return reply.send(JSON.stringify({ code, status, title, remedy }));
      });
    }
  }
}
