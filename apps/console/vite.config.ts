import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where billing answers while the page is developed: `npm run dev` passes everything but the page on to it. */
const billing = process.env['KEYFARE_BILLING_URL'] ?? 'http://127.0.0.1:3001';

export default defineConfig({
  base: '/console/',
  plugins: [react()],
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
