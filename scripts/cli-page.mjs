// Writes docs/cli.md from the help of the compiled commands (build packages/cli first).
//
//   node scripts/cli-page.mjs            writes the page
//   node scripts/cli-page.mjs --check    writes nothing; exits 1 when the page is not as the commands say
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { commands, groups } from '../packages/cli/dist/src/commands/index.js';
import { createProgram } from '../packages/cli/dist/src/program.js';

const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
const path = fileURLToPath(new URL('../docs/cli.md', import.meta.url));

const head = `# The command line

\`keyfare\` runs the service from a terminal: plans, accounts, keys, payments, receipts and the books over the HTTP API, the
migrations, and a doctor that says what is wrong with a deployment and what to do. In this repository \`npx keyfare\`; elsewhere
\`npm install --global @keyfare/cli\`.

\`\`\`sh
export KEYFARE_API_URL=https://api.example.com KEYFARE_BILLING_URL=https://billing.example.com
export KEYFARE_OPERATOR_TOKEN_FILE=~/.keyfare-token     # or KEYFARE_OPERATOR_TOKEN; see docs/operators.md
keyfare accounts list
\`\`\`

- The token is never an argument: arguments of a program can be read by everybody on its machine.
- \`--json\` prints one JSON document on stdout, and nothing else there. Lists are \`{ "items": […], "more": … }\`; one whose later
  part could not be had stays unfinished, so that nobody takes a part for the whole. Errors are one JSON document on stderr.
- Lists go on to the end, or to \`--limit\`, and are shown as they arrive.
- Each write has an \`Idempotency-Key\`. What could not be delivered is sent again by itself, under the same key; a command that
  failed may be repeated with \`--idempotency-key\`, and is done once. Changes name the version that they change (\`If-Match\`).
- On a terminal no table wraps: what does not fit is cut, and ends in \`…\`. Nothing is cut in a pipe or a file. Control characters
  in names and notes are spelled out. There is no colour in a pipe, or with \`NO_COLOR\`.

| exit code | what it means |
|---|---|
| 0 | done, and nothing was found wrong |
| 1 | something was found wrong: a check of the doctor, a break, a receipt that is not genuine, pending migrations (\`--dry-run\`); or the server failed, or the output could not be written whole |
| 2 | the command line or a setting is wrong, or the server says that the request is |
| 3 | the server, the database or the node cannot be reached, or cannot answer now |
| 4 | the operator, or the login, is not known or may not do this |
| 5 | it is not there, or in another state: not found, in conflict, changed meanwhile |

Why it is as it is: [decision 33](decisions/0033-the-command-line.md).
`;

/** A command of the parser, by its words. */
function find(words) {
  return words.reduce(
    (command, word) => command.commands.find((one) => one.name() === word),
    createProgram(process, () => undefined),
  );
}

function sectionOf({ name, examples }) {
  const help = find(name.split(' ')).helpInformation().trim();
  const shown = examples.map(({ line, output }) => `$ keyfare ${line}\n${output}`.trim()).join('\n\n');
  return `### keyfare ${name}\n\n\`\`\`text\n${help}\n\`\`\`\n\n\`\`\`console\n${shown}\n\`\`\`\n`;
}

const parts = [head];
let group;
for (const command of commands) {
  const [word] = command.name.split(' ');
  if (word !== group) parts.push(`## ${word}\n${groups[word] === undefined ? '' : `\n${groups[word]}\n`}`);
  group = word;
  parts.push(sectionOf(command));
}
parts.push('<!-- Written by scripts/cli-page.mjs from packages/cli/src/commands. -->\n');
const wanted = parts.join('\n');
const differs = !existsSync(path) || readFileSync(path, 'utf8') !== wanted;
if (differs && values.check) {
  console.error('docs/cli.md is not as the commands say: run `node scripts/cli-page.mjs`');
  process.exitCode = 1;
} else if (differs) writeFileSync(path, wanted);
console.log(
  `${commands.length} commands, docs/cli.md ${differs ? (values.check ? 'differs' : 'written') : 'is right'}`,
);
