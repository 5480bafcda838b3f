// `npm run documents`: takes over the OpenAPI documents of the programs that `npm start` runs, of which the types are made.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { KEYFARE_API_URL = 'http://127.0.0.1:3000', KEYFARE_BILLING_URL = 'http://127.0.0.1:3001' } = process.env;
for (const [name, url] of [
  ['gate', KEYFARE_API_URL],
  ['billing', KEYFARE_BILLING_URL],
]) {
  const answer = await fetch(`${url}/openapi.json`);
  const file = fileURLToPath(new URL(`../../packages/api-types/${name}.json`, import.meta.url));
  writeFileSync(file, `${JSON.stringify(await answer.json(), null, 2)}\n`);
}
