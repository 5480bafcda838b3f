import axe from 'axe-core';
import type { Page } from 'playwright-core';

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string }[];
}

/** What axe finds on a page as it is now. */
export class AxeResults {
  constructor(private readonly page: Page) {}

  /** The findings that are serious or critical, of all rules or of those named: the rule and the first place. */
  async serious(rules: readonly string[] = []): Promise<readonly string[]> {
    // By the debugger's door: the page's own policy lets no other script in.
    if (!(await this.page.evaluate(() => 'axe' in globalThis))) await this.page.evaluate(axe.source);
    const violations = await this.page.evaluate(async (only) => {
      const page = globalThis as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } };
      return (await page.axe.run(only.length === 0 ? {} : { runOnly: only })).violations;
    }, rules);
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id} at ${nodes[0]?.html ?? '?'} (${nodes.length})`);
  }
}
