import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { createLogger, NestLogger } from './logger.js';

describe('the logger', () => {
  const written = (work: (logger: NestLogger) => void): string => {
    const lines: string[] = [];
    work(new NestLogger(createLogger({ name: 'test', level: 'info' }, { write: (line) => void lines.push(line) })));
    return lines.join('');
  };

  it('lets no secret out that comes along with an error', () => {
    const error = Object.assign(new Error('upstream failed'), {
      config: { headers: { authorization: 'Bearer sesame', 'x-api-key': 'sesame' } },
      password: 'sesame',
    });
    const text = written((logger) => logger.error({ err: error, token: 'sesame' }, 'Problem'));
    expect(text).toContain('upstream failed');
    expect(text).not.toContain('sesame');
  });

  it('keeps the context, the stack and the message of a line', () => {
    const [line] = written((logger) => logger.error('it broke', 'at here', 'Room'))
      .trim()
      .split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({
      level: 'error',
      name: 'test',
      context: 'Room',
      stack: 'at here',
      msg: 'it broke',
    });
  });
});
