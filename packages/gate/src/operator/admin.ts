import { Problem } from '@keyfare/core/problem';
import {
  applyDecorators,
  type CallHandler,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  SetMetadata,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { map, type Observable } from 'rxjs';
import { markOperatorHandler } from '../operator-paths.js';
import { AdminSchemas } from './admin-schemas.js';
import { requestIdOf } from './changes.js';
import { etagOf, type TaggedPart } from './etag.js';
import { OperatorGuard } from './operator.guard.js';

/** As Nest numbers the sources of a handler's arguments. */
const argument = { body: 3, query: 4 } as const;

const taggedKey = Symbol('keyfare:operator-tagged');

/**
 * For a view of which some members move by themselves, with the clock: the `ETag` is of the rest, so that it changes
 * with what an operator can change, and with nothing else. `requireMatch` is to be asked with the same part.
 */
export const Tagged = (part: TaggedPart): MethodDecorator => SetMetadata(taggedKey, part);

/**
 * The manners of an operator's route: nothing is stored on the way (RFC 9111 §5.2.2.5), each answer has an `ETag` and a
 * `Request-Id`, and what the route does not ask for is refused, not dropped.
 */
@Injectable()
export class AdminInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    void reply.header('cache-control', 'no-store').header('request-id', requestIdOf(request));
    const asked = askedOf(context);
    if (!asked.has(argument.query)) refuseAll('query', request.query);
    if (!asked.has(argument.body)) refuseAll('body', request.body);
    const part = partOf(context);
    return next.handle().pipe(
      map((view: unknown) => {
        if (isPlain(view) && request.method !== 'DELETE') void reply.header('etag', etagOf(part(view)));
        return view;
      }),
    );
  }
}

/** What the `ETag` is of: the whole view, where nothing else is said. */
function partOf(context: ExecutionContext): (view: object) => object {
  const part = Reflect.getMetadata(taggedKey, context.getHandler()) as ((view: object) => object) | undefined;
  return part ?? ((view) => view);
}

/** A controller of operators' routes. */
export const Admin = (path: string): ClassDecorator => operatorRoutes(path, UseGuards(OperatorGuard));

/** The same for those by which operators come in: nobody has shown a token there. */
export const OperatorDoor = (path: string): ClassDecorator => operatorRoutes(path);

function operatorRoutes(path: string, ...guards: readonly ClassDecorator[]): ClassDecorator {
  const controller = applyDecorators(
    Controller(path),
    ...guards,
    UseInterceptors(AdminInterceptor),
    UsePipes(AdminSchemas),
  ) as ClassDecorator;
  return (target) => {
    for (const handler of Object.values(Object.getOwnPropertyDescriptors(target.prototype as object))) {
      if (typeof handler.value === 'function') markOperatorHandler(handler.value as object);
    }
    controller(target);
  };
}

function askedOf(context: ExecutionContext): ReadonlySet<number> {
  const args: object = (Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), context.getHandler().name) ??
    {}) as object;
  return new Set(Object.keys(args).map((name) => Number(name.split(':', 1)[0])));
}

/** A body of no members is as good as none. */
function refuseAll(where: 'query' | 'body', given: unknown): void {
  if (given === undefined || given === null) return;
  const names = typeof given === 'object' && !Array.isArray(given) ? Object.keys(given) : ['(the whole)'];
  if (names.length === 0) return;
  const errors = names.slice(0, 20).map((name) => `${where}.${name.slice(0, 100)} is not asked for`);
  throw new Problem('request/invalid', undefined, { extensions: { errors } });
}

function isPlain(view: unknown): view is object {
  return (
    typeof view === 'object' &&
    view !== null &&
    [Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(view) as null)
  );
}
