// For healthchecks: `node healthy.mjs http <port>` asks /readyz, `node healthy.mjs chain <port>` asks for a block number.
const [kind, port] = process.argv.slice(2);
const question =
  kind === 'chain'
    ? fetch(`http://127.0.0.1:${port}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}',
      })
    : fetch(`http://127.0.0.1:${port}/readyz`);
const response = await question.catch(() => ({ ok: false }));
process.exitCode = response.ok ? 0 : 1;
