import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Where billing answers while the page is developed: `npm run dev` passes everything but the page on to it. */
const billing = process.env['KEYFARE_BILLING_URL'] ?? 'http://127.0.0.1:3001';

/** Beside each file of text its compressed forms, which billing serves as they are. */
const compress: Plugin = {
  name: 'compress',
  writeBundle: ({ dir = '' }) => {
    for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(?:html|js|css|json|svg|txt)$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      const plain = readFileSync(path);
      if (plain.length <= 1_000) continue;
      writeFileSync(`${path}.br`, brotliCompressSync(plain));
      writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
    }
  },
};

export default defineConfig({
  base: '/console/',
  plugins: [react(), compress],
  // Nothing in a `data:` address, which the page's own policy forbids for scripts and styles.
  build: {
    outDir: 'dist/page',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // The host stays the page's own: a change is taken from its own origin only.
  server: { host: '127.0.0.1', proxy: { '^/(?!console)': { target: billing, changeOrigin: false } } },
});
