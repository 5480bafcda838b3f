import { longestExtendedHeader } from '@keyfare/core/x402';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Body, Controller, Get, Param, Post, Query, Version, VersioningType } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { DiscoveryModule } from '../src/discovery.module.js';
import { GateModule } from '../src/module.js';
import { Free, Priced } from '../src/tariff.js';
import { type Ground, openGround } from './gate-under-test.js';
import { type Host, optionsOf, startHost } from './host-under-test.js';
import { call, decodeHeader } from './requests.js';

const text = z.strictObject({ text: z.string().meta({ examples: ['Hello'] }) });
type Nested = { readonly name: string; readonly parts?: readonly Nested[] | undefined };
const nested: z.ZodType<Nested> = z
  .object({
    name: z.string(),
    get parts() {
      return z.array(nested).optional();
    },
  })
  .meta({ id: 'Nested' });
const wide = z.object(
  Object.fromEntries(
    Array.from({ length: 90 }, (_, index) => [`member-${index}`, z.string().meta({ description: 'One of many' })]),
  ),
);

@Controller('items')
class ItemsController {
  @Priced({
    skus: { small: { price: '$0.001' }, large: { price: '$0.01', units: 3 } },
    choose: { param: 'size', values: { s: 'small', l: 'large' } },
  })
  @Version('2')
  @Get('by-size/:size')
  bySize(@Param('size') size: string): object {
    return { size };
  }

  @Priced({ sku: 'text', price: '$0.002', accepts: [{}, { flow: 'deferred', price: '$0.001' }] })
  @Version('2')
  @Post('texts')
  @ApiOkResponse({ standardSchema: text })
  text(@Body({ schema: text }) body: z.infer<typeof text>): object {
    return body;
  }

  @Priced({ sku: 'nested', price: '$0.001' })
  @Version('2')
  @Get('nested')
  @ApiOkResponse({ standardSchema: nested })
  nested(@Query('name') name: string): Nested {
    return { name };
  }

  @Priced({ sku: 'wide', price: '$0.001' })
  @Version('2')
  @Get('wide')
  @ApiOkResponse({ standardSchema: wide })
  wide(@Query('name') name: string): object {
    return { name };
  }

  @Free()
  @Version('2')
  @Get('about')
  about(): object {
    return {};
  }
}

interface Known {
  readonly resources: readonly string[];
  readonly items: readonly {
    readonly resource: string;
    readonly method: string;
    readonly accepts: readonly object[];
  }[];
}
interface Described {
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
}

describe('a host of its own, with a prefix, a version in the path, a path that a proxy adds and another that it takes away', () => {
  let ground: Ground;
  let host: Host;
  const publicUrl = 'https://api.test/shop';

  beforeAll(async () => {
    ground = await openGround();
    host = await startHost({
      imports: [
        GateModule.forRoot({ ...optionsOf(ground), publicUrl, mountPath: '/inner' }),
        DiscoveryModule.forRoot({ title: 'Shop', description: 'Sells\n# texts', contact: { email: 'team@api.test' } }),
      ],
      controllers: [ItemsController],
      prepare: (app) => {
        app.setGlobalPrefix('inner/api');
        app.enableVersioning({ type: VersioningType.URI });
      },
    });
  }, 60_000);
  afterAll(async () => {
    await host.close();
    await ground.close();
  });

  const sold = [
    ['GET', '/api/v2/items/by-size/{size}', '/api/v2/items/by-size/s'],
    ['POST', '/api/v2/items/texts', '/api/v2/items/texts'],
    ['GET', '/api/v2/items/nested', '/api/v2/items/nested?name=a'],
    ['GET', '/api/v2/items/wide', '/api/v2/items/wide?name=a'],
  ] as const;

  it.each(['', '/inner'])(
    'describes its routes below its public URL, whichever way %p a document is asked for',
    async (mount) => {
      const { body } = await call(host, `${mount}/openapi.json`);
      const { servers, paths } = body as unknown as Described;
      expect(servers).toEqual([{ url: publicUrl }]);
      const priced = Object.entries(paths).flatMap(([path, item]) =>
        Object.entries(item).flatMap(([method, own]) =>
          own['x-payment-info'] === undefined ? [] : [[method.toUpperCase(), path]],
        ),
      );
      expect(priced).toEqual(sold.map(([method, path]) => [method, path]));
      expect(paths['/api/v2/items/about']?.['get']).toMatchObject({ security: [] });
      const known = (await call(host, `${mount}/.well-known/x402`)).body as unknown as Known;
      expect(known.resources).toEqual(sold.map(([, path]) => publicUrl + path));
      expect(known.items.map(({ accepts }) => accepts.length)).toEqual([2, 2, 1, 1]);
    },
  );

  it.each(sold)('asks at %s %s what it says there, with a link to the document', async (method, path, target) => {
    const asked = await call(host, `/inner${target}`, { method });
    expect(asked.status).toBe(402);
    expect(asked.headers.get('link')).toContain('</shop/openapi.json>; rel="service-desc"');
    const challenge = decodeHeader(asked.headers, 'payment-required');
    expect(challenge).toMatchObject({ resource: { url: publicUrl + target } });
    expect(asked.headers.get('payment-required')?.length).toBeLessThanOrEqual(longestExtendedHeader);
    const { info, routeTemplate } = (challenge['extensions'] as { bazaar: { info: object; routeTemplate?: string } })
      .bazaar;
    expect(info).toMatchObject({ input: { type: 'http', method } });
    expect(routeTemplate).toBe(path.includes('{') ? '/api/v2/items/by-size/:size' : undefined);
  });

  it('says of a large answer no more than its type in a 402 whose head would be too long, and keeps the inputs', async () => {
    const asked = await call(host, '/inner/api/v2/items/wide?name=a');
    const { bazaar } = decodeHeader(asked.headers, 'payment-required')['extensions'] as {
      bazaar: { info: object; schema: object };
    };
    expect(bazaar.info).toEqual({ input: { type: 'http', method: 'GET' }, output: { type: 'json' } });
    expect(bazaar.schema).toMatchObject({
      properties: {
        input: { properties: { queryParams: { properties: { name: { type: 'string' } } } } },
        output: { properties: { example: { type: 'object' } } },
      },
    });
    expect(JSON.stringify(bazaar)).not.toContain('member-0');
    expect(asked.body['accepts']).toMatchObject([{ outputSchema: { output: { properties: { 'member-89': {} } } } }]);
  });

  it('keeps what its description says in one line of /llms.txt', async () => {
    const lines = (await (await fetch(`${host.url}/llms.txt`)).text()).split('\n');
    expect(lines.slice(0, 3)).toEqual(['# Shop', '', '> Sells # texts']);
  });
});
