import { defineConfig } from "vite";

/** All but the screens, and what only few of them use. */
const BASE =
  /node_modules|preload-helper|src\/(?!main|app|screens|stripe|parts\/(chart|lines|upcoming|meter|pages)|words\/(events|explanations|stripe))/;

export default defineConfig({
  // The page is served at the root of its origin, and its files name each other by relative paths.
  base: "./",
  build: {
    target: "es2022",
    // A file that is part of another one as a data address would need `data:` in the policy of the page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The licences of what is in the bundle ask for a notice in each copy.
    license: { fileName: "third-party-notices.txt" },
    sourcemap: false,
    rolldownOptions: {
      output: {
        // What every screen uses is one file: each further one costs a slow connection a place in the queue.
        codeSplitting: {
          groups: [
            { name: "base", test: BASE },
          ],
        },
      },
    },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
