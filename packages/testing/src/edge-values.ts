import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import * as fc from 'fast-check';

/** A route as an OpenAPI document lists it. */
export interface EdgeRoute {
  /** Upper case. */
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  readonly query: readonly string[];
  /** The members of the JSON body that it asks for; null where it asks for none. */
  readonly members: readonly string[] | null;
}

/** A request as it goes out: everything in it is written already. */
export interface EdgeRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export interface EdgeAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/**
 * Values that the service takes, by the name of the parameter, member or header, or by `<path> <name>` where they are those
 * of one route: most of a request is to be right.
 */
export type Plausible = ReadonlyMap<string, readonly unknown[]>;

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> };
}

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

/** Every route of an OpenAPI document, with what it asks for. */
export function routesOf(document: unknown): readonly EdgeRoute[] {
  const { paths, components } = document as OpenApi;
  const membersOf = (schema: Schema | undefined): readonly string[] => {
    const named = schema?.$ref?.split('/').at(-1);
    const own = named === undefined ? schema : components?.schemas?.[named];
    const parts = [...(own?.allOf ?? []), ...(own?.anyOf ?? [])].flatMap(membersOf);
    return [...Object.keys(own?.properties ?? {}), ...parts];
  };
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      query: parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
      members: requestBody === undefined ? null : membersOf(requestBody.content?.['application/json']?.schema),
    })),
  );
}

const words = (text: string): readonly string[] => text.split(' ');

const oddTexts = [
  // What databases, logs and UTF-8 refuse or change (RFC 3629 §3), and what a person would not see.
  words('\0 a\0b \n \u007f \u0085 \u2028 \ud800 x\udfff \ufffe \u202egnp 😀').concat('', ' ', 'ß'.repeat(200)),
  words('__proto__ constructor toString null undefined true [object {} [] ../.. %00 % $1 \\ " *'),
  words('0 -1 00 1e3 1e400 -0 0x10 NaN Infinity 9007199254740993 1.5 +1').concat('9'.repeat(400)),
  words('infinity now 0000-00 0000-01 9999-12 2026-13 -000001-01 0000-01-01T00:00:00.000Z 9999-12-31T23:59:59.999Z'),
  words('+275760-09-13T00:00:00.000Z 2026-02-30T00:00:00Z 1969-12-31T23:59:59Z'),
  words('00000000-0000-0000-0000-000000000000 ffffffff-ffff-ffff-ffff-ffffffffffff').concat(`x' or 1=1; --`),
].flat();

/** Text of every kind and size that may stand where a text is asked for. */
const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...oddTexts),
  // Often: it takes one such character where a schema is missing.
  fc.constantFrom('\0', 'a\0', '\ud800', 'x\udc00y', '\n', '0000-01-01T00:00:00.000Z'),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength: 40 }),
  fc.base64String({ maxLength: 400 }),
  fc
    .tuple(fc.constantFrom('a', '\0', 'é', '7'), fc.integer({ min: 1, max: 5_000 }))
    .map(([unit, size]) => unit.repeat(size)),
);

/** The JSON text of a value of any type: also of those that no value of the language has. */
const oddJson: fc.Arbitrary<string> = fc.oneof(
  oddText.map((text) => JSON.stringify(text)),
  fc.constantFrom('null', 'true', 'false', '[]', '{}', '0', '-0', '-1', '1.5', '1e999', '-1e999', '1e-999'),
  fc.constantFrom('9007199254740993', '9'.repeat(500), '"\\ud800"', '"\\u0000"', '{"__proto__":{"a":1}}', '[[]]'),
  fc.constantFrom('{"constructor":{"prototype":{"a":1}}}', '{"a":1,"a":2}', '{"":""}', '{"toString":1,"length":-1}'),
  fc.json({ maxDepth: 4 }),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  fc.integer({ min: 1, max: 5_000 }).map((depth) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)),
  fc.array(oddText, { maxLength: 30 }).map((list) => JSON.stringify(list)),
);

/** Bytes that are no JSON, or none that can be read. */
const oddBytes: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .constantFrom('', ' ', '{', '{"a":', 'undefined', '\ufeff{}', '{}{}', "{'a':1}", '{"a":01}', '"')
    .map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    Buffer.from('{"a":1}', 'utf16le'),
    Buffer.from([0x22, 0xff, 0xfe, 0x22]),
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
  ),
  fc.constantFrom(1_048_577, 3_000_000).map((size) => Buffer.from(JSON.stringify('x'.repeat(size)))),
);

const oddTypes = [
  null,
  'application/json; charset=utf-16',
  ...words('text/plain text/html application/x-www-form-urlencoded multipart/form-data application/problem+json'),
  ...words('application/json;charset=" APPLICATION/JSON */* json ;').concat(''),
];

/** RFC 9110 §5.5: visible characters, and bytes of no meaning. */
const headerCharacter = fc
  .oneof(fc.integer({ min: 0x21, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }))
  .map((code) => String.fromCharCode(code));

/** Headers that the service reads, with what may stand in a header: no NUL, no line break. */
const oddHeaders: fc.Arbitrary<Readonly<Record<string, string>>> = fc.dictionary(
  fc.constantFrom(
    ...words('if-match idempotency-key accept accept-encoding content-encoding origin x-forwarded-for range'),
  ),
  fc.oneof(
    fc.constantFrom('*', '""', 'W/"x"', '"x", "y"', ',', 'gzip', 'null', 'bytes=0-0', '::1, a', 'a'.repeat(256)),
    fc.string({ unit: headerCharacter, maxLength: 60 }),
  ),
  { maxKeys: 2 },
);

/** The plausible values of a name. */
type Known = (name: string) => readonly unknown[] | undefined;

type Part = 'path' | 'query' | 'body' | 'type' | 'headers';

/**
 * Requests of a route in which one part is odd, or now and then all: a part of the path, a parameter, a member or the whole
 * of the body, its type, a header. What is not odd is plausible, so the odd part comes as far as it can. Every request can
 * be sent.
 */
export function edgeRequests(route: EdgeRoute, plausible: Plausible): fc.Arbitrary<EdgeRequest> {
  const { method, path, query } = route;
  const known: Known = (name) => plausible.get(`${path} ${name}`) ?? plausible.get(name);
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const parts: readonly (Part | 'all')[] = [
    ...(path.includes('{') ? (['path', 'path'] as const) : []),
    ...query.map(() => 'query' as const),
    ...(hasBody ? (['body', 'body', 'body', 'body', 'type'] as const) : []),
    ...(['query', 'headers', 'all'] as const),
  ];
  return fc.constantFrom(...parts).chain((odd) => {
    const isOdd = (part: Part): boolean => odd === part || odd === 'all';
    return fc
      .record({
        segments: fc.tuple(...path.split('/').map((part) => pathPart(part, known, isOdd('path')))),
        search: isOdd('query') ? oddQuery(route, known) : rightQuery(route, known),
        body: hasBody ? (isOdd('body') ? oddBody(route, known) : rightBody(route, known)) : fc.constant(null),
        type: isOdd('type') ? fc.constantFrom(...oddTypes) : fc.constant('application/json'),
        headers: isOdd('headers') ? oddHeaders : fc.constant({}),
      })
      .map(({ segments, search, body, type, headers }) => ({
        method,
        target: `${segments.join('/')}${search === '' ? '' : `?${search}`}`,
        headers: {
          ...(type === null || body === null ? {} : { 'content-type': type }),
          ...plausibleHeaders(known),
          ...headers,
        },
        body,
      }));
  });
}

function plausibleHeaders(known: Known): Readonly<Record<string, string>> {
  const matching = known('if-match')?.[0];
  return typeof matching === 'string' ? { 'if-match': matching } : {};
}

function pathPart(part: string, known: Known, isOdd: boolean): fc.Arbitrary<string> {
  const name = /^\{(\w+)\}$/.exec(part)?.[1];
  if (name === undefined) return fc.constant(part);
  return isOdd ? oddTextOf(name, known).chain(encoded) : rightText(name, known);
}

/** One parameter of the route with an odd value; or parameters and text of any kind. */
function oddQuery(route: EdgeRoute, known: Known): fc.Arbitrary<string> {
  const { query } = route;
  const names = fc.oneof(
    query.length === 0 ? fc.constant('x') : fc.constantFrom(...query),
    oddText.map((text) => text.slice(0, 50)),
    fc.constantFrom('__proto__', 'limit[]', 'limit[a]', 'month.', 'constructor', 'hasOwnProperty'),
  );
  const pairOf = (name: string): fc.Arbitrary<string> =>
    fc.tuple(encoded(name), oddTextOf(name, known).chain(encoded)).map(([left, right]) => `${left}=${right}`);
  const any = fc
    .array(fc.oneof({ weight: 4, arbitrary: names.chain(pairOf) }, fc.constantFrom(...words('& = % %zz=1 ? a'))), {
      maxLength: 3,
    })
    .map((pairs) => pairs.join('&'));
  if (query.length === 0) return any;
  const one = fc.constantFrom(...query).chain((name) => oddTextOf(name, known).map((text) => [name, text] as const));
  const named = one.map(([name, text]) => `${name}=${inUrl(text)}`);
  return fc.oneof({ weight: 4, arbitrary: named }, any);
}

/** One of the route's parameters, or none: not all go together. */
function rightQuery({ query }: EdgeRoute, known: Known): fc.Arbitrary<string> {
  const named = query.filter((name) => name !== 'cursor' && known(name) !== undefined);
  if (named.length === 0) return fc.constant('');
  const one = fc.constantFrom(...named).chain((name) => rightText(name, known).map((text) => `${name}=${text}`));
  return fc.oneof(fc.constant(''), one);
}

function rightText(name: string, known: Known): fc.Arbitrary<string> {
  return fc.constantFrom(...(known(name) ?? ['x']).map(String)).map(inUrl);
}

/** A text that is nearly a plausible one of that name, or any. */
function oddTextOf(name: string, known: Known): fc.Arbitrary<string> {
  const texts = (known(name) ?? []).map(String);
  return texts.length === 0 ? oddText : fc.oneof(fc.constantFrom(...texts).chain(altered), oddText);
}

/** The text with a character changed, also into one that is refused far behind; of a cursor, with one part replaced. */
function altered(text: string): fc.Arbitrary<string> {
  const put = fc.oneof(fc.string({ maxLength: 1 }), { weight: 3, arbitrary: fc.constantFrom('\0', '\n', '\ud800') });
  const character = fc
    .tuple(fc.nat({ max: text.length }), put, fc.nat({ max: 1 }))
    .map(([at, piece, drop]) => text.slice(0, at) + piece + text.slice(at + drop));
  const parts = partsOf(text);
  if (parts === null) return character;
  const oddString = fc.oneof(oddText, fc.constantFrom(...parts.map(String)).chain(altered));
  const forged = fc
    .tuple(
      fc.nat({ max: parts.length - 1 }),
      fc.oneof(oddJson, { weight: 3, arbitrary: oddString.map((odd) => JSON.stringify(odd)) }),
    )
    .map(([at, json]) => `[${parts.map((part, index) => (index === at ? json : JSON.stringify(part))).join(',')}]`)
    .map((json) => Buffer.from(json).toString('base64url').slice(0, 2_000));
  return fc.oneof(character, { weight: 3, arbitrary: forged });
}

function partsOf(text: string): readonly unknown[] | null {
  try {
    const read: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(read) && read.length > 0 ? (read as readonly unknown[]) : null;
  } catch {
    return null;
  }
}

const member = (name: string, json: string): string => `${JSON.stringify(name)}:${json}`;

function rightMember(name: string, known: Known): fc.Arbitrary<string> {
  const values = known(name) ?? ['x'];
  return fc.constantFrom(...values).map((value) => member(name, JSON.stringify(value)));
}

function rightBody({ members }: EdgeRoute, known: Known): fc.Arbitrary<Buffer> {
  return fc
    .tuple(...(members ?? []).map((name) => rightMember(name, known)))
    .map((pairs) => Buffer.from(`{${pairs.join(',')}}`));
}

/** A body with one odd member, one too many or one too few; one that is none; or no body. */
function oddBody({ members }: EdgeRoute, known: Known): fc.Arbitrary<Buffer | null> {
  const names = members ?? [];
  const oddMember = (name: string): fc.Arbitrary<string> =>
    fc
      .oneof(
        oddTextOf(name, known).map((text) => JSON.stringify(text)),
        oddJson,
      )
      .map((json) => member(name, json));
  const extra = fc.tuple(oddText, oddJson).map(([name, json]) => member(name, json));
  const object = fc
    .nat({ max: names.length })
    .chain((at) =>
      fc
        .tuple(
          ...names.map((name, index) =>
            index === at ? fc.oneof(oddMember(name), fc.constant('')) : rightMember(name, known),
          ),
          at === names.length ? extra : fc.constant(''),
        )
        .map((pairs) => Buffer.from(`{${pairs.filter((pair) => pair !== '').join(',')}}`)),
    );
  return fc.oneof(
    { weight: 6, arbitrary: object },
    { weight: 2, arbitrary: oddJson.map((json) => Buffer.from(json)) },
    { weight: 2, arbitrary: oddBytes },
    { weight: 1, arbitrary: fc.constant(null) },
  );
}

/** Percent-encoded; a lone surrogate, which has no UTF-8, as what replaces it. */
function inUrl(text: string): string {
  return encodeURIComponent(Buffer.from(text.slice(0, 3_000)).toString('utf8'));
}

/** The text in a part of a URL: percent-encoded, now and then in bytes that are no UTF-8 (a lone surrogate has none). */
function encoded(text: string): fc.Arbitrary<string> {
  const whole = [...Buffer.from(text.slice(0, 3_000), 'utf8')]
    .map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
    .join('');
  const plain = inUrl(text);
  const broken = fc.constantFrom('%ed%a0%80', '%ff', '%c0%80', '%00', '%', '%g0').map((bytes) => plain + bytes);
  return fc.oneof({ weight: 6, arbitrary: fc.constant(plain) }, { weight: 2, arbitrary: fc.constant(whole) }, broken);
}

/** What an answer must not be: a fault of ours, or a refusal that is no problem with a code; null for one that is good. */
export function faultOf({ status, contentType, text }: EdgeAnswer): string | null {
  if (status < 400) return null;
  if (!contentType.startsWith('application/problem+json')) return `${String(status)} as ${contentType}`;
  const { code } = JSON.parse(text) as { readonly code: string };
  // Documented: the service has too much to do, or its database is away.
  if (status === 503 && ['service/overloaded', 'service/database-unavailable'].includes(code)) return null;
  return status >= 500 ? `${String(status)} ${code}` : null;
}

/** Sends the request byte for byte as it is, on a connection of its own. `headers` are sent beside its own. Rejects when there is no answer. */
export async function sendEdge(
  origin: string,
  { method, target, headers: own, body }: EdgeRequest,
  headers: Readonly<Record<string, string>>,
): Promise<EdgeAnswer> {
  const { hostname, port } = new URL(origin);
  const sent = httpRequest({
    hostname,
    port,
    method,
    path: target,
    agent: false,
    headers: { ...own, ...headers, 'content-length': String(body?.length ?? 0) },
  });
  sent.end(body ?? undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type'] ?? '',
    text: Buffer.concat(chunks).toString('utf8'),
  };
}
