import { SetMetadata } from '@nestjs/common';
import type { z } from 'zod';

const answerKey = Symbol('keyfare:admin-answer');

/** What a route of operators answers with. */
export interface DescribedAnswer {
  readonly status: number;
  readonly schema: z.ZodType;
}

/** Says what a handler answers with, for documents that describe it; nothing is held to it. */
export const Answers = (status: number, schema: z.ZodType): MethodDecorator =>
  SetMetadata(answerKey, { status, schema } satisfies DescribedAnswer);

/** What `@Answers(…)` says of a handler; undefined where it says nothing. */
export function answerOf(handler: object): DescribedAnswer | undefined {
  return Reflect.getMetadata(answerKey, handler) as DescribedAnswer | undefined;
}
