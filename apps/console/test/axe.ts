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

  /** The findings that are serious or critical: the rule and the first place. */
  async serious(): Promise<readonly string[]> {
    // By the debugger's door: the page's own policy lets no other script in.
    await this.page.evaluate(axe.source);
    const violations = await this.page.evaluate(async () => {
      const page = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
      return (await page.axe.run()).violations;
    });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id} at ${nodes[0]?.html ?? '?'} (${nodes.length})`);
  }
}
