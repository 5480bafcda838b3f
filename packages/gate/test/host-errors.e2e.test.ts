import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  BadRequestException,
  ConflictException,
  Controller,
  ForbiddenException,
  Get,
  GoneException,
  HttpException,
  NotFoundException,
  Param,
  ParseIntPipe,
  ServiceUnavailableException,
  UnauthorizedException,
  UnprocessableEntityException,
} from '@nestjs/common';
import { Free, Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows, withKey } from './requests.js';

const thrown: Readonly<Record<string, () => Error>> = {
  unread: () => new BadRequestException('no such unit of length'),
  login: () => new UnauthorizedException('log in at the desk'),
  forbidden: () => new ForbiddenException('not on Sundays'),
  city: () => new NotFoundException('no such city'),
  seat: () => new ConflictException('seat taken'),
  gone: () => new GoneException('sold'),
  plain: () => new HttpException('only on even days', 412),
  shape: () => new UnprocessableEntityException({ message: 'too long', longest: 12, code: 'mine', statusCode: 200 }),
  slow: () => new HttpException('one at a time', 429),
  tired: () => new ServiceUnavailableException('resting'),
  odd: () => new HttpException('not an error', 204),
};

@Controller()
class HostController {
  @Priced({ sku: 'throws', price: '$0.001' })
  @Get('throws/:what')
  throws(@Param('what') what: string): never {
    throw thrown[what]?.() ?? new Error('unknown');
  }

  @Free()
  @Get('free-throws/:what')
  freeThrows(@Param('what') what: string): never {
    throw thrown[what]?.() ?? new Error('unknown');
  }

  @Priced({ sku: 'number', price: '$0.001' })
  @Get('number/:number')
  number(@Param('number', ParseIntPipe) number: number): object {
    return { number };
  }
}

describe('what a handler of the host says with an HttpException', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let secret: string;
  let accountId: string;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, { controllers: [HostController] });
    const issued = await gate.issueKey();
    secret = issued.secret;
    accountId = issued.key.accountId;
  });
  afterAll(async () => {
    await gate.close();
    await ground.close();
  });

  it.each([
    ['unread', 400, 'Bad Request', 'no such unit of length'],
    ['login', 401, 'Unauthorized', 'log in at the desk'],
    ['forbidden', 403, 'Forbidden', 'not on Sundays'],
    ['city', 404, 'Not Found', 'no such city'],
    ['seat', 409, 'Conflict', 'seat taken'],
    ['gone', 410, 'Gone', 'sold'],
    ['plain', 412, 'Precondition Failed', 'only on even days'],
    ['slow', 429, 'Too Many Requests', 'one at a time'],
    ['tired', 503, 'Service Unavailable', 'resting'],
  ])('reaches the caller with its status and message: %s', async (what, status, title, detail) => {
    for (const path of [`/throws/${what}`, `/free-throws/${what}`]) {
      const answer = await call(gate, path, withKey(secret));
      expect(answer.status).toBe(status);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body).toEqual({
        type: 'about:blank',
        title,
        status,
        detail,
        instance: expect.stringMatching(/^urn:uuid:/),
      });
    }
  });

  it('reaches the caller with its other members, none of which replaces one of the problem', async () => {
    const { status, body } = await call(gate, '/throws/shape', withKey(secret));
    expect(status).toBe(422);
    expect(body).toEqual({
      type: 'about:blank',
      title: 'Unprocessable Entity',
      status: 422,
      detail: 'too long',
      longest: 12,
      code: 'mine',
      instance: expect.stringMatching(/^urn:uuid:/),
    });
  });

  it('is passed on from pipes too', async () => {
    const { status, body } = await call(gate, '/number/x', withKey(secret));
    expect([status, body['type'], body['detail']]).toEqual([
      400,
      'about:blank',
      'Validation failed (numeric string is expected)',
    ]);
  });

  it('is a 500 problem of ours where its status is no error, as any other error is', async () => {
    for (const what of ['odd', 'unknown']) {
      const { status, body } = await call(gate, `/throws/${what}`, withKey(secret));
      expect([status, body['code']]).toEqual([500, 'service/internal']);
    }
  });

  it('costs nothing', async () => {
    const [row] = await rows(ground.database.url, 'select used from keyfare.allowance where account_id = $1', [
      accountId,
    ]);
    expect(row).toEqual({ used: '0' });
  });

  it('is not mistaken for an address that does not exist, nor that for it', async () => {
    expect((await call(gate, '/nowhere')).body['code']).toBe('request/not-found');
    expect((await call(gate, '/throws/city', { method: 'DELETE' })).body['code']).toBe('request/method-not-allowed');
  });
});
