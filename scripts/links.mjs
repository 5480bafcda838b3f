// `node scripts/links.mjs`: every relative link in the papers leads to a file that is there, and every anchor to a heading.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const papers = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)));

/** Headings as the usual renderers turn them into anchors. */
function anchorsOf(path) {
  const headings = readFileSync(join(root, path), 'utf8').matchAll(/^#{1,6} +(.+)$/gm);
  return [...headings].map(([, text]) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

const broken = papers.flatMap((paper) => {
  const text = readFileSync(join(root, paper), 'utf8').replace(/```.*?```/gs, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path, anchor] = link.split('#');
      const target = path === '' ? paper : normalize(join(dirname(paper), path));
      if (!existsSync(join(root, target))) return true;
      return (
        anchor !== undefined && (statSync(join(root, target)).isDirectory() || !anchorsOf(target).includes(anchor))
      );
    })
    .map((link) => `${paper}: ${link}`);
});

for (const link of broken) console.error(`no such place: ${link}`);
console.log(`${papers.length} papers, ${broken.length} broken links`);
process.exitCode = broken.length === 0 ? 0 : 1;
