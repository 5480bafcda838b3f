import { catalogue, type ProblemCode } from '@keyfare/core/problem';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Head, Res, Sse } from '@nestjs/common';
import { type Observable, of } from 'rxjs';
import { Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { type Answer, call, raw, rows, withKey } from './requests.js';

describe('bad input', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let secret: string;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
    ({ secret } = await gate.issueKey());
  });
  afterAll(async () => {
    await gate.close();
    await ground.close();
  });

  const expectProblem = (answer: Answer, code: ProblemCode): void => {
    expect([answer.status, answer.body['code']]).toEqual([catalogue[code].status, code]);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject({
      type: `/problems/${code}`,
      title: catalogue[code].title,
      status: answer.status,
    });
  };

  it('an unknown route is a 404 problem', async () => {
    expectProblem(await call(gate, '/nowhere'), 'request/not-found');
  });

  it('a wrong method is a 405 problem with the methods that are right', async () => {
    const answer = await call(gate, '/ping', { method: 'DELETE' });
    expectProblem(answer, 'request/method-not-allowed');
    expect(answer.headers.get('allow')).toContain('GET');
  });

  it('a HEAD of what is priced is 405 and costs nothing; a HEAD of what is free is answered', async () => {
    const { secret: fresh, key } = await gate.issueKey();
    const answer = await call(gate, '/ping', { method: 'HEAD', ...withKey(fresh) });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
    expect(answer.headers.has('keyfare-receipt')).toBe(false);
    const used = await rows(ground.database.url, `select 1 from keyfare.entry where kind = 'call' and principal = $1`, [
      key.accountId,
    ]);
    expect(used).toEqual([]);
    expect((await call(gate, '/free', { method: 'HEAD' })).status).toBe(200);
  });

  it('a GET with a body is 400 where it would be sold, for nobody reads that body and no receipt could name it', async () => {
    const head = `GET /ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\nConnection: close\r\n`;
    for (const rest of ['Content-Length: 2\r\n\r\n{}', 'Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n']) {
      const answer = await raw(gate, `${head}${rest}`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain('request/malformed');
    }
    expect(await raw(gate, `${head}Content-Length: 0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('bad JSON is a 400 problem, and says nothing of the parser', async () => {
    const headers = { ...withKey(secret).headers, 'content-type': 'application/json' };
    const answer = await call(gate, '/echo', { method: 'POST', headers, body: '{"text":' });
    expectProblem(answer, 'request/malformed');
    expect(JSON.stringify(answer.body)).not.toMatch(/Unexpected|JSON at|position/);
  });

  it('a body outside its schema is a 400 problem that names the members', async () => {
    const headers = { ...withKey(secret).headers, 'content-type': 'application/json' };
    const answer = await call(gate, '/echo', { method: 'POST', headers, body: '{"text":5}' });
    expectProblem(answer, 'request/invalid');
    expect(JSON.stringify(answer.body['errors'])).toContain('text');
  });

  it('a body that is too large is a 413 problem, and a body of an unknown type a 415', async () => {
    const json = { ...withKey(secret).headers, 'content-type': 'application/json' };
    const large = JSON.stringify({ text: 'x'.repeat(1_100_000) });
    expectProblem(await call(gate, '/echo', { method: 'POST', headers: json, body: large }), 'request/too-large');
    const xml = { ...withKey(secret).headers, 'content-type': 'application/xml' };
    expectProblem(
      await call(gate, '/echo', { method: 'POST', headers: xml, body: '<a/>' }),
      'request/unsupported-media-type',
    );
  });

  it('headers that are too large are a 431 problem, though no request ever came to be', async () => {
    const answer = await raw(gate, `GET /ping HTTP/1.1\r\nHost: x\r\nX-Payment: ${'A'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('request/header-too-large');
  });

  it('what is no HTTP is a 400 problem', async () => {
    const answer = await raw(gate, 'HELLO\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('request/malformed');
  });

  it('a payment header over 8 KiB, a payment header sent twice, and a key header sent twice are 400 problems', async () => {
    const large = Buffer.from(JSON.stringify({ x402Version: 2, junk: 'x'.repeat(9_000) })).toString('base64');
    expectProblem(await call(gate, '/ping', { headers: { 'payment-signature': large } }), 'payment/malformed');
    const twice = `GET /ping HTTP/1.1\r\nHost: x\r\nPayment-Signature: e30=\r\nPayment-Signature: e30=\r\nConnection: close\r\n\r\n`;
    expect(await raw(gate, twice)).toContain('payment/malformed');
    const keys = `GET /ping HTTP/1.1\r\nHost: x\r\nX-API-Key: ${secret}\r\nX-API-Key: ${secret}\r\nConnection: close\r\n\r\n`;
    expect(await raw(gate, keys)).toContain('credential/ambiguous');
  });

  it('a key header of any length and letters is 401, never a 500 and never an offer to pay', async () => {
    for (const key of [
      '',
      ' ',
      'kf_',
      'kf_test_',
      `kf_test_${'a'.repeat(5_000)}`,
      'é',
      'kf_live_0_0_0',
      '\u0000'.slice(1),
    ]) {
      const answer = await call(gate, '/ping', { headers: { 'x-api-key': Buffer.from(key).toString('latin1') } });
      expect([answer.status, answer.body['code']]).toEqual([401, 'credential/malformed']);
      expect(answer.headers.has('payment-required')).toBe(false);
    }
  });

  it('a URL that no receipt could hold is refused before anything is charged', async () => {
    expectProblem(await call(gate, `/ping?q=${'x'.repeat(3_000)}`, withKey(secret)), 'request/uri-too-long');
  });

  it('a URL with bytes beyond printable ASCII is 400 and posts nothing, also when the route was called before', async () => {
    const { secret: fresh, key } = await gate.issueKey();
    expect((await call(gate, '/ping', withKey(fresh))).status).toBe(200);
    const rest = ` HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${fresh}\r\nConnection: close\r\n\r\n`;
    for (const target of ['/ping?city=Zürich', '/ping?city=東京', '/ping?city=\u0080']) {
      const answer = await raw(gate, `GET ${target}${rest}`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain('request/malformed');
    }
    expect(await raw(gate, `GET /ping?city="Z\\"${rest}`)).toMatch(/^HTTP\/1\.1 200 /);
    const posted = await rows<{ url: string }>(
      ground.database.url,
      `select convert_from(payload, 'UTF8')::json ->> 'resourceUrl' as url from keyfare.entry
       where kind = 'call' and principal = $1 order by id`,
      [key.accountId],
    );
    expect(posted.map(({ url }) => new URL(url).search)).toEqual(['', '?city=%22Z\\%22']);
  });

  it('an error of ours is a 500 problem that says nothing of its cause', async () => {
    const answer = await call(gate, '/fail/secret-cause', withKey(secret));
    expectProblem(answer, 'service/internal');
    expect(JSON.stringify(answer.body)).not.toContain('secret-cause');
    expect(gate.lines.join('\n')).toContain('secret-cause');
  });

  it('the type of a problem leads to its page', async () => {
    const { body } = await call(gate, '/nowhere');
    const page = await call(gate, String(body['type']));
    expect(page.body).toMatchObject({ code: 'request/not-found', status: 404 });
  });

  it('a receipt that does not exist, or an id that is none, is a 404 problem', async () => {
    expectProblem(await call(gate, '/receipts/01a1fc53-df79-7336-a480-ff38844a7c71'), 'receipt/not-found');
    expectProblem(await call(gate, '/receipts/nonsense'), 'receipt/not-found');
  });

  it('the log names every request once, with its refusal, and holds neither key nor payment', async () => {
    const before = gate.lines.length;
    const marker = 'bWFya2Vy'.repeat(4);
    await call(gate, '/ping', { headers: { 'x-payment': marker } });
    await call(gate, '/ping', withKey(secret));
    const fresh = gate.lines.slice(before).map((line) => JSON.parse(line) as Record<string, unknown>);
    const exchanges = fresh.filter((line) => line['msg'] === 'exchange');
    expect(exchanges.map((line) => [line['status'], line['problem'], line['rail']])).toEqual([
      [400, 'payment/malformed', 'none'],
      [200, undefined, 'key'],
    ]);
    expect(gate.lines.join('\n')).not.toContain(secret);
    expect(gate.lines.join('\n')).not.toContain(secret.split('_')[3]);
    expect(gate.lines.join('\n')).not.toContain(marker);
  });
});

describe('the boot', () => {
  @Controller()
  class Bare {
    @Get('bare')
    bare(): string {
      return 'unguarded';
    }
  }

  @Controller()
  class Past {
    @Priced({ sku: 'past', price: '$1' })
    @Get('past')
    past(@Res() reply: { send: (text: string) => void }): void {
      reply.send('past the gate');
    }

    @Priced({ sku: 'through', price: '$1' })
    @Get('through')
    through(@Res({ passthrough: true }) _reply: unknown): string {
      return 'through the gate';
    }

    @Priced({ sku: 'head', price: '$1' })
    @Head('past-head')
    head(): string {
      return 'charged in full and not sent';
    }

    @Priced({ sku: 'stream', price: '$1' })
    @Sse('stream')
    stream(): Observable<object> {
      return of({ data: 'past the gate' });
    }
  }

  it('stops at a route that is neither priced nor free, and at a priced one that answers past the gate, and names them', async () => {
    const ground = await openGround();
    try {
      const boot = startGate(ground, { controllers: [Bare, Past] });
      const message = await boot.then(
        () => '',
        (error: Error) => error.message,
      );
      expect(message).toContain('neither are: Bare.bare.');
      expect(message).toContain('have: Past.past, Past.stream.');
      expect(message).toContain('@Head() have: Past.head.');
    } finally {
      await ground.close();
    }
  });
});
