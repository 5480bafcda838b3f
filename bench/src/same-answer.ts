/** Throws unless the hand-written server answers with the gate's bytes, header names and members of the receipt. */
export async function demandSameAnswer(servers: readonly { readonly url: string; readonly secret: string }[]) {
  const answers = await Promise.all(
    servers.map(async ({ url, secret }) => {
      const response = await fetch(`${url}/priced`, { headers: { authorization: `Bearer ${secret}` } });
      const [, payload = ''] = (response.headers.get('keyfare-receipt') ?? '').split('.');
      const receipt = JSON.parse(Buffer.from(payload, 'base64url').toString() || '{}') as object;
      const names = [...response.headers.keys()].toSorted();
      return JSON.stringify([response.status, await response.text(), names, Object.keys(receipt).toSorted()]);
    }),
  );
  if (new Set(answers).size > 1) throw new Error(`the answers differ:\n${answers.join('\n')}`);
}
