// Bundles the card into one committed file. The same sources give the same bytes.
import { build } from "esbuild";

await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ["src/card.ts"],
  outfile: process.argv[2] ?? "dist/mediarip-card.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  banner: { js: "/* mediarip-card, built from homeassistant/card. Contains Lit, (c) Google, BSD-3-Clause. */" },
  logLevel: "warning",
});
