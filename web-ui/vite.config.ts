import { defineConfig } from 'vite';

/**
 * `vite build web-ui` makes what browsers load (dist/client); with `--ssr` the first view's renderer for the
 * gateway (dist/server/server.js), with everything it needs inside.
 */
export default defineConfig(({ isSsrBuild }) => ({
  root: import.meta.dirname,
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  ssr: { noExternal: true },
  build: {
    target: isSsrBuild ? 'node24' : 'es2022',
    outDir: isSsrBuild ? 'dist/server' : 'dist/client',
    emptyOutDir: true,
    manifest: isSsrBuild ? false : 'manifest.json',
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: { input: isSsrBuild ? 'src/server.tsx' : 'src/client.tsx' },
  },
}));
