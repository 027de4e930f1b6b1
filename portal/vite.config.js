import { defineConfig } from "vite";

export default defineConfig({
  // The page is served at the root of its origin, and its files name each other by relative paths.
  base: "./",
  build: {
    target: "es2022",
    // A file that is part of another one as a data address would need `data:` in the policy of the page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
