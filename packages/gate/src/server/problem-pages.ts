import { catalogue, isProblemCode, Problem } from '@keyfare/core/problem';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';

/** The pages that a problem's `type` leads to; routes of Fastify, which a host's prefix and interceptors do not move or change. */
@Injectable()
export class ProblemPages implements OnModuleInit {
  constructor(private readonly host: HttpAdapterHost) {}

  /** Every `onRoute` hook of the gate is there by now. */
  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.get<{ Params: { room: string; code: string } }>('/problems/:room/:code', async ({ params }, reply) => {
      const code = `${params.room}/${params.code}`;
      if (!isProblemCode(code)) throw new Problem('request/not-found');
      const { status, title, remedy } = catalogue[code];
      void reply.header('cache-control', 'public, max-age=3600').type('application/json; charset=utf-8');
      return reply.send(JSON.stringify({ code, status, title, remedy }));
    });
  }
}
