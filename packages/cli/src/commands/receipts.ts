import { closeSync, openSync, readSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { isProblem } from '@keyfare/core/problem';
import { type Jwks, parseJwks, parseReceipt, type ReceiptPayload, verifyReceipt } from '@keyfare/core/receipt';
import { argument, type CommandSpec, type Context, type Input, isSet, textOf } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import { idPath } from './lists.js';

/** Longer than any receipt: a file that is none is not read into memory. */
const longest = 65_536;

/** Receipts. */
export const receipts: readonly CommandSpec[] = [
  {
    name: 'receipts show',
    summary: 'Shows a receipt by its id.',
    speaks: 'api',
    arguments: [{ name: 'receipt', description: 'its id' }],
    options: [{ flags: '--raw', description: 'the signed text itself, a compact JWS' }],
    examples: [
      {
        line: 'receipts show 01939f3c-7a52-7c10-9c5e-1f2a3b4c5d6e --raw > receipt.jws',
        output: '',
      },
    ],
    run: async (input, { publicApi, out }) => {
      const response = await publicApi().stream(`/receipts/${idPath(argument(input))}`, undefined, 'application/jose');
      const jws = (await response.text()).trim();
      if (isSet(input, 'raw') && !out.json) {
        await out.raw(`${jws}\n`);
        return undefined;
      }
      const { payload, header } = readReceipt(jws);
      await out.record({ receipt: payload, kid: header.kid, jws }, [...Object.entries(payload), ['kid', header.kid]]);
      return undefined;
    },
  },
  {
    name: 'receipts verify',
    summary: "Checks a receipt's signature, offline where --jwks names a file. It ends with 1 when it is not genuine.",
    speaks: 'api',
    arguments: [{ name: 'receipt', description: 'the signed text, a file that has it, or - for stdin' }],
    options: [{ flags: '--jwks <file>', description: "the keys that sign; default: those of the API's JWKS" }],
    examples: [
      {
        line: 'receipts verify receipt.jws --jwks jwks.json',
        output: `genuine      true
id           01939f3c-7a52-7c10-9c5e-1f2a3b4c5d6e
kid          did:web:api.example.com#tZ0m…`,
      },
    ],
    run: verify,
  },
];

async function verify(input: Input, context: Context): Promise<ExitCode> {
  const { out } = context;
  const jws = await readText(argument(input), context);
  const verdict = verifyReceipt(jws, await readKeys(input, context));
  if (!verdict.ok) {
    const { reason, detail } = verdict;
    await out.record({ genuine: false, reason, detail }, Object.entries({ genuine: false, reason, detail }));
    return exitCodes.finding;
  }
  const { payload, kid } = verdict;
  const fields = Object.entries(payload);
  await out.record({ genuine: true, receipt: payload, kid }, [['genuine', true], ...fields, ['kid', kid]]);
  return exitCodes.ok;
}

async function readText(source: string, { stdin }: Context): Promise<string> {
  if (source === '-') return (await text(stdin)).trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(source) && source.startsWith('ey')) return source;
  return readFile(source).trim();
}

async function readKeys(input: Input, { publicApi }: Context): Promise<Jwks> {
  const path = textOf(input, 'jwks');
  try {
    if (path !== undefined) return parseJwks(JSON.parse(readFile(path)));
    return parseJwks((await publicApi().get('/.well-known/jwks.json')).body);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(exitCodes.usage, `${path ?? 'the answer of the API'} is no JSON Web Key Set`);
  }
}

function readFile(path: string): string {
  const most = longest * 16;
  try {
    const file = openSync(path, 'r');
    try {
      const content = Buffer.alloc(most + 1);
      let length = 0;
      // A pipe gives what it has, in parts.
      for (let read = 1; read > 0 && length <= most; length += read) {
        read = readSync(file, content, length, content.length - length, null);
      }
      if (length <= most) return content.toString('utf8', 0, length);
    } finally {
      closeSync(file);
    }
  } catch {
    throw new Failure(exitCodes.usage, `the file ${path} cannot be read`);
  }
  throw new Failure(exitCodes.usage, `the file ${path} is too large`);
}

function readReceipt(jws: string): { readonly payload: ReceiptPayload; readonly header: { readonly kid: string } } {
  try {
    return parseReceipt(jws);
  } catch (error) {
    if (!isProblem(error)) throw error;
    throw new Failure(exitCodes.finding, 'the answer is no receipt', { lines: [error.detail] });
  }
}
