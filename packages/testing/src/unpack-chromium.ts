import { join } from 'node:path';
import { inflate } from '@sparticuz/chromium';

/** Unpacks the browser into this process's temporary directory; run by `openBrowser`, with TMPDIR set. */
const [, , archives = ''] = process.argv;
const parts = ['chromium.br', 'fonts.tar.br', 'swiftshader.tar.br', 'al2023.tar.br'];
await Promise.all(parts.map(async (part) => await inflate(join(archives, part))));
