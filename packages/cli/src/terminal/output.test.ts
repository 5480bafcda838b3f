import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import { type ListPart, Output } from './output.js';

async function* parts(...items: readonly (readonly object[])[]): AsyncGenerator<ListPart<object>> {
  for (const [index, part] of items.entries()) yield { items: part, more: index < items.length - 1 };
}

function open(json: boolean, terminal = false) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  for (const stream of [stdout, stderr]) if (terminal) Object.assign(stream, { isTTY: true, columns: 40 });
  return {
    out: new Output({ stdout, stderr, json }),
    text: () => String(stdout.read() ?? ''),
    errors: () => String(stderr.read() ?? ''),
  };
}

describe('a list as JSON', () => {
  it.each([[[[]]], [[[{ id: 1 }]]], [[[{ id: 1 }, { id: 2 }], [{ id: 3 }]]]])(
    'is one document, in however many parts it came: %j',
    async (items) => {
      const { out, text } = open(true);
      await out.list(parts(...items), [{ heading: 'ID', cell: () => 1 }]);
      expect(JSON.parse(text())).toEqual({ items: items.flat(), more: false });
    },
  );

  it('stays unfinished where a part cannot be had', async () => {
    const { out, text } = open(true);
    const broken = async function* (): AsyncGenerator<ListPart<object>> {
      yield { items: [{ id: 1 }], more: true };
      throw new Failure(exitCodes.unreachable, 'gone');
    };
    await expect(out.list(broken(), [])).rejects.toThrow('gone');
    expect(() => JSON.parse(text()) as unknown).toThrow(SyntaxError);
  });
});

describe('colour', () => {
  const { NO_COLOR: before, TERM: terminal } = process.env;
  beforeEach(() => {
    delete process.env['NO_COLOR'];
    process.env['TERM'] = 'xterm';
  });
  afterEach(() => {
    delete process.env['NO_COLOR'];
    if (before !== undefined) process.env['NO_COLOR'] = before;
    process.env['TERM'] = terminal;
  });
  const failure = new Failure(exitCodes.finding, 'wrong');

  it('is there on a terminal', () => {
    const { out, errors } = open(false, true);
    out.failure(failure);
    expect(errors()).toBe('\u001b[31merror:\u001b[39m wrong\n');
    expect(out.coloured('green', 'ok')).toBe('\u001b[32mok\u001b[39m');
  });

  it.each(['a pipe', 'NO_COLOR', 'a dumb terminal'])('is not there for %s', (why) => {
    if (why === 'NO_COLOR') process.env['NO_COLOR'] = '1';
    if (why === 'a dumb terminal') process.env['TERM'] = 'dumb';
    const { out, errors } = open(false, why !== 'a pipe');
    out.failure(failure);
    expect(errors()).toBe('error: wrong\n');
    expect(out.coloured('green', 'ok')).toBe('ok');
  });
});
