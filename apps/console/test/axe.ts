import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { settled } from './world.js';

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string }[];
}

/** What axe finds that is serious on pages of the console: in light colours all of it, in dark ones the contrast. */
export async function seriousFindings(page: Page, paths: readonly string[]): Promise<readonly string[]> {
  const findings: string[] = [];
  for (const path of paths) {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(`/console${path}`);
    await settled(page);
    findings.push(...(await serious(page)).map((finding) => `${path}: ${finding}`));
    await page.emulateMedia({ colorScheme: 'dark' });
    findings.push(...(await serious(page, ['color-contrast'])).map((finding) => `${path}, dark: ${finding}`));
  }
  return findings;
}

/** The findings that are serious or critical, of all rules or of those named: the rule and the first place. */
async function serious(page: Page, rules: readonly string[] = []): Promise<readonly string[]> {
  // By the debugger's door: the page's own policy lets no other script in.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  const violations = await page.evaluate(async (only) => {
    const { axe: here } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: Violation[] }> };
    };
    return (await here.run(only.length === 0 ? {} : { runOnly: only })).violations;
  }, rules);
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id} at ${nodes[0]?.html ?? '?'} (${nodes.length})`);
}
