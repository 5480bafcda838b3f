import { nameText } from '@keyfare/core/text';
import { Body, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Changes, type Operator, OperatorDoor, refuseIdempotencyKey, SessionService } from '../operators.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { begunSession, viewSession } from './session-views.js';

const secret = z.string().min(1).max(200);
const signIn = z
  .union([
    z.strictObject({ name: nameText, password: secret, device: secret.optional() }),
    z.strictObject({ link: secret }),
  ])
  .meta({ id: 'SignIn', description: 'A name and its password, or a link that lets its operator in once.' });

/** Where operators come in. Whoever shows a token is in already. */
@Free()
@OperatorDoor('admin/sessions')
export class SignInController {
  constructor(
    private readonly changes: Changes,
    private readonly sessions: SessionService,
  ) {}

  /** Begins a session. The same answer, after the same time, for a name that is wrong and for a password that is. */
  @Post()
  @HttpCode(201)
  @Answers(201, begunSession)
  async begin(
    @Req() request: FastifyRequest,
    @Body({ schema: signIn }) body: z.infer<typeof signIn>,
  ): Promise<z.infer<typeof begunSession>> {
    refuseIdempotencyKey(request);
    const browser = { address: request.ip, agent: request.headers['user-agent'] ?? '' };
    const known = 'link' in body ? null : await this.sessions.prove(body, request.ip);
    // Whose change it is: the log of what was changed names operators only.
    const enter = (operator: Operator): void => {
      request.operator = { ...operator, token: 'link' in body ? body.link : body.password };
    };
    if (known !== null) enter(known.operator);
    else enter({ id: 'nobody', name: 'nobody', scopes: [] });
    return this.changes.make(request, 'session.begin', async (tx) => {
      const proven = known ?? (await this.sessions.proveByLink(tx, 'link' in body ? body.link : '', request.ip));
      enter(proven.operator);
      const { session, token } = await this.sessions.begin(tx, proven, browser);
      const after = viewSession(session);
      return { subject: session.id, before: null, after, answer: { session: after, token, device: proven.device } };
    });
  }
}
