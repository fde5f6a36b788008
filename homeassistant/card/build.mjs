// Bundles the card into one committed file. The same sources give the same bytes.
import { build, transform } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";

const LANGUAGES = ["en", "de", "fr"];
const outfile = process.argv[2] ?? "dist/mediarip-card.js";
const read = (path) => readFile(new URL(path, import.meta.url), "utf8");

/** Return a language's texts in one flat object: those of `text`, then those of `errors`. */
async function flat(language) {
  const { text, errors } = JSON.parse(await read(`src/locales/${language}.json`));
  const shared = Object.keys(text).filter((key) => key in errors);
  if (shared.length) throw new Error(`${language}.json: ${shared} is both in "text" and in "errors"`);
  const plural = ([key, value]) => [key, value.one ? `${value.one}|${value.other}` : value];
  return Object.fromEntries(Object.entries({ ...text, ...errors }).map(plural));
}

// The keys are in the bundle once, and each language is a list in their order.
async function texts() {
  const keys = Object.keys(await flat("en"));
  const lists = {};
  for (const language of LANGUAGES) {
    const own = await flat(language);
    const wrong = [
      ...keys.filter((key) => !(key in own)),
      ...Object.keys(own).filter((key) => !keys.includes(key)),
    ];
    if (wrong.length) throw new Error(`${language}.json: other keys than en.json: ${wrong}`);
    lists[language] = keys.map((key) => own[key]).join("\n");
  }
  return { keys: keys.join(" "), ...lists };
}

const contents = {
  name: "contents",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^texts$/ }, () => ({ path: "texts", namespace: "texts" }));
    onLoad({ filter: /./, namespace: "texts" }, async () => ({
      contents: JSON.stringify(await texts()),
      loader: "json",
    }));
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await read(path), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const { outputFiles } = await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ["src/main.ts"],
  outfile,
  write: false,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  banner: { js: "/* mediarip-card, built from homeassistant/card. Contains Lit, (c) Google, BSD-3-Clause. */" },
  plugins: [contents],
  logLevel: "warning",
});
// In minified code, lines break only in HTML templates.
await writeFile(new URL(outfile, import.meta.url), outputFiles[0].text.replace(/\n\s+/g, " "));
