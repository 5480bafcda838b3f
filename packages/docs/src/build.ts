// Builds the site into dist/site, from the papers of the repository. Needs no network.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Eleventy } from '@11ty/eleventy';
import { close, createIndex } from 'pagefind';
import { home, output } from './places.js';

// Eleventy reads and writes in the working directory.
process.chdir(fileURLToPath(new URL('../../../../', import.meta.url)));
const { pages } = await import('./eleventy.config.js');
await new Eleventy('docs', output, { configPath: `${home}/dist/src/eleventy.config.js` }).write();
await buildIndex();

/** The index that the browser searches, made of what was written. */
async function buildIndex(): Promise<void> {
  const pagefind = join(output, 'pagefind');
  const { index, errors } = await createIndex({ includeCharacters: '_-/@$' });
  if (index === undefined) throw new Error(errors.join('\n'));
  const added = await index.addDirectory({ path: output });
  const files = await index.writeFiles({ outputPath: pagefind });
  await close();
  // Its own search boxes: the theme has one.
  for (const name of readdirSync(pagefind)) if (/-ui\.|-highlight\./.test(name)) rmSync(join(pagefind, name));
  const failed = [...added.errors, ...files.errors];
  if (failed.length > 0 || added.page_count !== pages.length) {
    throw new Error(`${added.page_count} of ${pages.length} pages are in the index. ${failed.join('\n')}`);
  }
  process.stdout.write(`${pages.length} pages\n`);
}
