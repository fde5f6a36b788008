// Bundles the card into one committed file. The same sources give the same bytes.
import { build, transform } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { minify } from "terser";
import { trimmed } from "./lit.mjs";
import { OWN_NAMES } from "./names.mjs";
import { numbered, packedTexts } from "./texts.mjs";

const outfile = process.argv[2] ?? "dist/mediarip-card.js";
const read = (path) => readFile(path, "utf8");

/** Drop the line breaks of HTML templates: between tags there is nothing, between attributes a space. */
const oneLine = (source) => source.replace(/(?<=>)\n\s+|\n\s+(?=[<$`>/])/g, "").replace(/\n\s+/g, " ");

// The styles and texts are one object, which comes first: apart from the code they compress best.
async function contents() {
  const css = (await read("src/styles.css")) + (await read("src/lists.css"));
  const { code } = await transform(css, { loader: "css", minify: true });
  return JSON.stringify({ styles: code.trim().replaceAll(": ", ":"), ...(await packedTexts()) });
}

const sources = {
  name: "sources",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^contents$/ }, () => ({ path: "contents", namespace: "contents" }));
    onLoad({ filter: /./, namespace: "contents" }, async () => ({ contents: await contents(), loader: "json" }));
    onLoad({ filter: /card\/src\/\w+\.ts$/ }, async ({ path }) => ({ contents: numbered(await read(path)), loader: "ts" }));
    onLoad({ filter: /lit-html\.js$/ }, async ({ path }) => ({ contents: trimmed(await read(path)) }));
  },
};

process.chdir(import.meta.dirname);
const { outputFiles } = await build({
  entryPoints: ["src/main.ts"],
  outfile,
  write: false,
  bundle: true,
  minify: true,
  mangleProps: OWN_NAMES,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  plugins: [sources],
  logLevel: "warning",
});
// A second pass: terser joins what esbuild leaves apart.
const { code } = await minify(oneLine(outputFiles[0].text), {
  module: true,
  ecma: 2022,
  compress: { passes: 5, inline: 1, keep_fargs: false, pure_getters: true },
});
const about = "/* mediarip-card. Contains Lit, (c) Google, BSD-3-Clause. */";
await writeFile(outfile, `${about}\n${code}\n`);
