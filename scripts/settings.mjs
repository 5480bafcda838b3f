// Writes docs/settings.md from the schemas of the programs' settings and the texts beside them (build the apps first).
//
//   node scripts/settings.mjs            writes the page
//   node scripts/settings.mjs --check    writes nothing; exits 1 where the page is not what the schemas say
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';

const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
const page = fileURLToPath(new URL('../docs/settings.md', import.meta.url));

const { networkSettings, programTexts, secretSettings, watchTexts } = await import(
  '../packages/gate/dist/src/server/index.js'
);
const { apiEnvironment } = await import('../apps/api/dist/src/config.js');
const { apiSettingTexts } = await import('../apps/api/dist/src/setting-texts.js');
const { billingEnvironment } = await import('../apps/billing/dist/src/config.js');
const { billingSettingTexts } = await import('../apps/billing/dist/src/setting-texts.js');

const api = describeAll(apiEnvironment.shape, apiSettingTexts);
const billing = describeAll(billingEnvironment.shape, billingSettingTexts);
const wanted = `# Settings

Programs read their settings from the environment; an empty one counts as absent. A wrong one stops the start, and all faults
are told at once, by name and never by value. In production (\`NODE_ENV=production\`, or a network whose money is real) what
would lose money or secrets stops it too: [decision 26](decisions/0026-settings-that-cannot-hurt.md).

A **secret** may come from a file instead: \`${secretSettings.at(-1)}_FILE=/run/secrets/name\`. In production nobody else may be
able to read that file. The secrets and addresses of
[.env.example](../.env.example) are refused there.

With several networks a setting marked **per network** may have the network's name at its end, \`PAY_TO_BASE\` or
\`RPC_URL_SEI_TESTNET\`; without one it holds for all. \`RPC_URL\` without a name is that of \`NETWORK\`, and no other.

## Both programs

${table(
  [...api.keys()].filter((name) => billing.has(name)),
  (name) => merge(api.get(name), billing.get(name)),
)}

## API

All but \`BOOTSTRAP_TOKEN\` and \`CONTACT_EMAIL\` are the gate's, so a service of your own has them too, and of those that both programs share all but
\`${[...Object.keys(programTexts), ...Object.keys(watchTexts)].join('`, `')}\`.

${table(
  [...api.keys()].filter((name) => !billing.has(name)),
  (name) => api.get(name),
)}

## Billing

${table(
  [...billing.keys()].filter((name) => !api.has(name)),
  (name) => billing.get(name),
)}

<!-- Written by scripts/settings.mjs from the schemas in packages/gate, apps/api and apps/billing. -->
`;

const isSame = existsSync(page) && readFileSync(page, 'utf8') === wanted;
if (values.check && !isSame)
  console.error('docs/settings.md is not what the schemas say; run `node scripts/settings.mjs`');
if (!values.check) writeFileSync(page, wanted);
console.log(`${new Set([...api.keys(), ...billing.keys()]).size} settings, ${isSame ? 'as they were' : 'changed'}`);
process.exitCode = values.check && !isSame ? 1 : 0;

function describeAll(shape, texts) {
  return new Map(Object.entries(shape).map(([name, schema]) => [name, describe(name, schema, texts[name])]));
}

/** What a schema says of a setting, and what the text adds. A default that the two state differently is a fault. */
function describe(name, schema, { text, shape, fallback, absent }) {
  const { type, innerType, defaultValue } = schema.def;
  const inner = type === 'default' || type === 'optional' ? innerType : schema;
  const known = shapeOf(inner) ?? shape;
  if (known === undefined) throw new Error(`${name}: its schema has no range and no list, so its text needs a shape`);
  if (type !== 'default') return { text, shape: known, value: type === 'optional' ? absent : undefined };
  const written = fallback ?? writtenOf(defaultValue);
  if (written === undefined) throw new Error(`${name}: its default is kept parsed, so its text needs a fallback`);
  if (written !== '' && !isDeepStrictEqual(inner.parse(written), defaultValue)) {
    // The API's default for a setting of the gate's is not the gate's: the schema is right.
    const own = writtenOf(defaultValue);
    if (own === undefined) throw new Error(`${name}: "${written}" is not its default`);
    return { text, shape: known, value: `\`${own}\`` };
  }
  return { text, shape: known, value: written === '' ? 'none' : `\`${written}\`` };
}

function shapeOf(schema) {
  const inner = schema.def.type === 'optional' || schema.def.type === 'default' ? schema.def.innerType : schema;
  if (inner.def.type === 'enum') return inner.options.map((option) => `\`${option}\``).join(', ');
  if (inner.def.type !== 'number') return undefined;
  return `whole number, ${inner.minValue.toLocaleString('en')} to ${inner.maxValue.toLocaleString('en')}`;
}

function writtenOf(value) {
  if (['string', 'number'].includes(typeof value)) return String(value);
  return Array.isArray(value) && value.length === 0 ? '' : undefined;
}

function merge(one, other) {
  const value = one.value === other.value ? one.value : `${one.value}; billing ${other.value}`;
  const shape = one.shape === other.shape ? one.shape : `${one.shape}; billing ${other.shape}`;
  return { ...one, value, shape };
}

function table(names, find) {
  const rows = names.map((name) => {
    const { text, shape, value } = find(name);
    const marks = [
      ...(secretSettings.includes(name) ? ['secret'] : []),
      ...(networkSettings.includes(name) ? ['per network'] : []),
    ];
    const last = marks.length === 0 ? '' : ` **${marks.join(', ').replace(/^./, (first) => first.toUpperCase())}.**`;
    return `| \`${name}\` | ${text}${last} | ${shape} | ${value ?? '**must be set**'} |`;
  });
  return ['| setting | what it does | value | default |', '|---|---|---|---|', ...rows].join('\n');
}
