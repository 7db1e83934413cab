/**
 * Builds the dashboard into `dashboard/dist`, which the node serves as plain files. Relative
 * addresses and no inline script, so that it runs under any path and a strict CSP.
 */
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0, // data: addresses would need a wider CSP
    modulePreload: { polyfill: false },
  },
});
