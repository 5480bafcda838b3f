import { formatMoney } from '@keyfare/core/money';
import { catalogue, isProblem, isProblemCode, Problem } from '@keyfare/core/problem';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { GateConfig } from '../config.js';
import { extractKey } from '../credential/extract.js';
import { fastifyOf } from '../fastify-of.js';
import { RouteTable } from '../server/route-table.js';
import { DryRuns, nothingSold } from './dry-run.js';
import type { DryRun } from './exchange.js';
import { PricedRoutes } from './priced-routes.js';

/** The call that is asked about. The credentials are those of the request that asks. */
export const preflightRequest = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
  /** Absolute below the public URL, or a path. */
  url: z.string().min(1).max(1_900),
  /** JSON, as the call would have it. */
  body: z.unknown().optional(),
});

/** What becomes of a call, before it is made. */
export const preflightVerdict = z.strictObject({
  wouldSucceed: z.boolean(),
  rail: z
    .enum(['key', 'x402', 'free'])
    .nullable()
    .meta({ description: 'How it would be paid; null where it would be refused' }),
  isReplay: z
    .literal(true)
    .optional()
    .meta({ description: 'The stored answer would be sent again, and nothing charged' }),
  sku: z.string().optional(),
  units: z.string().optional(),
  price: z.string().optional().meta({ description: 'US dollars: what a wallet is asked for, in USDC' }),
  problem: z
    .strictObject({
      code: z.string().optional().meta({ description: 'Left out where the refusal is the host’s own' }),
      status: z.number().int(),
      title: z.string(),
      detail: z.string().optional(),
      remedy: z.string().optional(),
    })
    .optional()
    .meta({ description: 'Why it would be refused, and what to do' }),
  accepts: z.array(z.unknown()).optional().meta({ description: 'What could be paid with: offers of x402 version 2' }),
  retryAfterSeconds: z.number().optional(),
  resetAt: z.iso.datetime().optional().meta({ description: 'When the allowance is whole again' }),
});

type PreflightVerdict = z.infer<typeof preflightVerdict>;

/** What came of the injected request. */
interface Answer {
  readonly statusCode: number;
  readonly body: string;
}

/** A body is read twice here, which must not make the question dearer than the call. */
const bodyLimitBytes = 65_536;

/** Headers of the asking request that show who would pay. */
const credentials = ['authorization', 'x-api-key', 'payment-signature', 'x-payment', 'idempotency-key'] as const;

/**
 * Answers what would become of a call, for nothing. The call is injected into the application itself: router, body
 * limits, tariff and guard decide as they would, for they are the same; in place of taking what the call costs the
 * guard stops. It holds nothing, claims nothing, and no handler runs.
 */
@Injectable()
export class Preflight {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly config: GateConfig,
    private readonly dryRuns: DryRuns,
    private readonly priced: PricedRoutes,
    private readonly routes: RouteTable,
  ) {}

  /**
   * Registers `POST <path>`: a route of Fastify, which a host's prefix, pipes and interceptors do not move or change.
   */
  serve(path: string): void {
    fastifyOf(this.host).post(path, { bodyLimit: bodyLimitBytes }, async (request, reply) => {
      const asked = preflightRequest.safeParse(request.body);
      if (!asked.success) {
        const errors = asked.error.issues.map(({ path: member, message }) => `${member.join('.')}: ${message}`);
        throw new Problem('request/invalid', undefined, { extensions: { errors } });
      }
      const verdict = await this.#judge(request, asked.data);
      void reply.header('cache-control', 'no-store').type('application/json; charset=utf-8');
      return reply.send(JSON.stringify(verdict));
    });
  }

  async #judge(request: FastifyRequest, { method, url, body }: z.infer<typeof preflightRequest>) {
    try {
      // Of two keys or headers the injected request could show but one.
      extractKey(request);
    } catch (error) {
      if (isProblem(error)) return refused(error);
      throw error;
    }
    const target = this.#targetOf(url);
    const unsold = this.#unsold(method, target);
    if (unsold !== null) return refused(unsold);
    const fastify: FastifyInstance = fastifyOf(this.host);
    return this.dryRuns.run(async (dryRun, mark) => {
      const shown = credentials.flatMap((name) => {
        const value = request.headers[name];
        return typeof value === 'string' ? [[name, value] as const] : [];
      });
      const payload = body === undefined ? undefined : written(body);
      const response = await fastify.inject({
        method,
        url: target,
        remoteAddress: request.ip,
        headers: {
          ...Object.fromEntries(shown),
          host: new URL(this.config.publicUrl).host,
          ...(payload !== undefined && { 'content-type': 'application/json' }),
          ...mark,
        },
        ...(payload !== undefined && { payload }),
      });
      return verdictOf(dryRun, response);
    });
  }

  /**
   * Why nothing is sold there; null where something may be. Such a request is not injected: middleware of the host runs
   * before any hook of ours, and would do and tell there whatever it does for a caller whom no proxy keeps away from
   * it.
   */
  #unsold(method: string, target: string): Problem | null {
    const sold = this.priced.methodsAt(target);
    if (sold.includes(method)) return null;
    if (sold.length > 0 && !this.routes.methodsAt(target).includes(method)) {
      return new Problem('request/method-not-allowed', undefined, { headers: { allow: sold.join(', ') } });
    }
    return nothingSold();
  }

  /**
   * The target that a proxy would send here, written as clients write URLs (WHATWG URL, "URL serializing"): dots in it
   * do not leave the mount. Throws 400 `request/invalid` for a URL of another service.
   */
  #targetOf(url: string): string {
    const { publicUrl, mountPath } = this.config;
    const path = url.startsWith(`${publicUrl}/`) ? url.slice(publicUrl.length) : url;
    if (!path.startsWith('/') || path.startsWith('//')) {
      throw new Problem('request/invalid', undefined, {
        extensions: { errors: [`url: must begin with / or ${publicUrl}/`] },
      });
    }
    const { pathname, search } = new URL(`http://localhost${path}`);
    const target = `${pathname}${search}`;
    const mounted = `${mountPath}${target}`;
    // A host may have routes that are not below the mount.
    const isElsewhere = this.priced.methodsAt(mounted).length === 0 && this.priced.methodsAt(target).length > 0;
    return isElsewhere ? target : mounted;
  }
}

function verdictOf(dryRun: DryRun, answer: Answer): PreflightVerdict {
  const { quote } = dryRun.exchange ?? {};
  const cost = quote && { sku: quote.sku, units: quote.units.toString(), price: formatMoney(quote.price) };
  if (dryRun.passed !== undefined) {
    const { rail, isReplay } = dryRun.passed;
    return { wouldSucceed: true, rail, ...(isReplay && { isReplay }), ...cost };
  }
  const refusal = dryRun.exchange?.refusal;
  return { ...(refusal === undefined ? refusedBefore(answer) : refused(refusal)), ...cost };
}

function refused(problem: Problem): PreflightVerdict {
  const { code, status, detail, headers, extensions } = problem;
  const { title, remedy } = catalogue[code];
  const challenge = headers['payment-required'];
  const retryAfterSeconds = Number(headers['retry-after']);
  return {
    wouldSucceed: false,
    rail: null,
    problem: { code, status, title, detail, remedy },
    ...(challenge !== undefined && { accepts: offersIn(challenge) }),
    ...('retry-after' in headers && { retryAfterSeconds }),
    ...('resetAt' in extensions && { resetAt: String(extensions['resetAt']) }),
  };
}

function offersIn(challenge: string): unknown[] {
  return (JSON.parse(Buffer.from(challenge, 'base64').toString()) as { accepts: unknown[] }).accepts;
}

/** Throws 400 for a body that can be read, and is nested too deeply to be written again. */
function written(body: unknown): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    throw new Problem('request/invalid', undefined, { cause, extensions: { errors: ['body: is nested too deeply'] } });
  }
}

const said = z.string().optional().catch(undefined);
const refusalDocument = z.object({ code: said, title: said, detail: said }).catch({});

/** A refusal of the server layer, or of the host, that came before the guard. A host may refuse with anything. */
function refusedBefore({ statusCode: status, body }: Answer): PreflightVerdict {
  const { code, title = 'Refused', detail } = refusalDocument.parse(readJson(body));
  if (code !== undefined && isProblemCode(code)) return refused(new Problem(code, detail));
  return { wouldSucceed: false, rail: null, problem: { status, title, ...(detail !== undefined && { detail }) } };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
