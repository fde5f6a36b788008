// Bundles the card into two committed files: the card, and what it loads for the library. The same sources give the
// same bytes.
import { build, transform } from "esbuild";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { minify } from "terser";
import { trimmed } from "./lit.mjs";
import { OWN_NAMES } from "./names.mjs";
import { card, library } from "./texts.mjs";

const folder = process.argv[2] ?? "dist";
const read = (path) => readFile(path, "utf8");
const BUILD = "@BUILD@"; // in the sources: the name of a build, by which its two files know each other

/** Drop the line breaks of HTML templates: between tags there is nothing, between attributes a space. */
const oneLine = (source) => source.replace(/(?<=>)\n\s+|\n\s+(?=[<$`>/])/g, "").replace(/\n\s+/g, " ");

// The styles and texts are one object, which comes first: apart from the code they compress best.
async function contents(styles, { packed }) {
  const css = (await Promise.all(styles.map((name) => read(`src/${name}.css`)))).join("");
  const { code } = await transform(css, { loader: "css", minify: true });
  return JSON.stringify({ styles: code.trim().replaceAll(": ", ":"), ...packed });
}

const sources = {
  name: "sources",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^(library-)?contents$/ }, ({ path }) => ({ path, namespace: "contents" }));
    onLoad({ filter: /^contents$/, namespace: "contents" }, async () => ({
      contents: await contents(["styles", "lists"], card),
      loader: "json",
    }));
    onLoad({ filter: /^library-contents$/, namespace: "contents" }, async () => ({
      contents: await contents(["library/library"], library),
      loader: "json",
    }));
    onLoad({ filter: /card\/src\/(library\/)?\w+\.ts$/ }, async ({ path }) => {
      const { numbered } = /\/library\/\w+\.ts$/.test(path) ? library : card;
      return { contents: numbered(await read(path)), loader: "ts" };
    });
    onLoad({ filter: /lit-html\.js$/ }, async ({ path }) => ({ contents: trimmed(await read(path)) }));
  },
};

/** Return a bundle, and how its own names were shortened: both files must shorten them in the same way. */
async function bundle(entry, mangleCache) {
  const { outputFiles, mangleCache: names } = await build({
    entryPoints: [entry],
    outfile: "bundle.js",
    write: false,
    bundle: true,
    minify: true,
    mangleProps: OWN_NAMES,
    mangleCache,
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
  return { code, names };
}

process.chdir(import.meta.dirname);
const first = await bundle("src/main.ts", {});
const second = await bundle("src/library/main.ts", first.names);
const name = createHash("sha256").update(first.code + second.code).digest("hex").slice(0, 8);
const files = {
  "mediarip-card.js": ["mediarip-card. Contains Lit, (c) Google, BSD-3-Clause.", first.code],
  "mediarip-library.js": ["The second file of mediarip-card, loaded by the first one.", second.code],
};
for (const [file, [about, code]] of Object.entries(files)) {
  if (!code.includes(BUILD)) throw new Error(`${file}: does not name its build`);
  await writeFile(`${folder}/${file}`, `/* ${about} */\n${code.replaceAll(BUILD, name)}\n`);
}
