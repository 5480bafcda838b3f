import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { typedPart } from './typed-part.js';

/**
 * `npm run documents -w @keyfare/console`: takes over the OpenAPI documents of the programs that `npm start` runs, of
 * which the types are made.
 */
const { KEYFARE_API_URL: api = 'http://127.0.0.1:3000', KEYFARE_BILLING_URL: billing = 'http://127.0.0.1:3001' } =
  process.env;
const require = createRequire(import.meta.url);
for (const [name, url] of Object.entries({ gate: api, billing })) {
  const answer = await fetch(`${url}/openapi.json`);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  const document = JSON.stringify(typedPart(await answer.json()), null, 2);
  writeFileSync(require.resolve(`@keyfare/api-types/${name}.json`), `${document}\n`);
}
