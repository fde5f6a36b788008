// Packs the locales of each file. In a bundle a text has a number, and so have the calls that name their text; only
// texts that are looked up by a name at run time keep it.
import { readFile, readdir } from "node:fs/promises";

const LANGUAGES = ["en", "de", "fr"];
const CALL = /\.text\(\s*"(\w+)"/g;
// In the second file: calls for a text of the first one.
const CARD_CALL = /((?:host\.words|\bcard)\.text\(\s*)"(\w+)"/g;
// Words that name no text, although some text has the same name: of icons, of CSS classes, in comparisons.
const OTHER = /(icon: |icon\(|css: |case |=== |includes\()"\w+"/g;
const read = (path) => readFile(new URL(path, import.meta.url), "utf8");

/** Return a language's texts in one flat object: those of `text`, then those of `errors`. */
async function flat(folder, language) {
  const { text, errors } = JSON.parse(await read(`${folder}/locales/${language}.json`));
  const shared = Object.keys(text).filter((key) => key in errors);
  if (shared.length) throw new Error(`${language}.json: ${shared} is both in "text" and in "errors"`);
  return { ...text, ...errors };
}

/** Return the keys of the texts that are looked up by name: of all errors, and of what else stands in the sources. */
async function namedKeys(folder) {
  const { text, errors } = JSON.parse(await read(`${folder}/locales/en.json`));
  const files = (await readdir(new URL(folder, import.meta.url))).filter((file) => file.endsWith(".ts"));
  const sources = await Promise.all(files.map((file) => read(`${folder}/${file}`)));
  const others = sources.join("\n").replaceAll(CARD_CALL, "").replaceAll(CALL, "").replaceAll(OTHER, "");
  return [...Object.keys(text).filter((key) => others.includes(`"${key}"`)), ...Object.keys(errors)];
}

/** Return the names, and for each language a list of texts in one order. */
async function packed(folder, named, keys) {
  const lists = {};
  for (const language of LANGUAGES) {
    const own = await flat(folder, language);
    const wrong = [
      ...keys.filter((key) => !(key in own)),
      ...Object.keys(own).filter((key) => !keys.includes(key)),
    ];
    if (wrong.length) throw new Error(`${folder}, ${language}.json: other keys than en.json: ${wrong}`);
    lists[language] = keys.map((key) => own[key].replace("|", "~")).join("|");
    if (lists[language].split(/[|~]/).length !== keys.map((key) => own[key]).join("|").split("|").length) {
      throw new Error(`${folder}, ${language}.json: a text with "~", or with more than one "|"`);
    }
  }
  return { keys: named.join(" "), ...lists };
}

function numberIn(keys) {
  return (key) => {
    if (!keys.includes(key)) throw new Error(`There is no text "${key}"`);
    return keys.indexOf(key);
  };
}

/** Return the texts of a folder of sources, and a function that puts numbers in the place of their keys. */
async function textsOf(folder, cardNumber) {
  const named = await namedKeys(folder);
  const keys = [...new Set([...named, ...Object.keys(await flat(folder, "en"))])];
  const number = numberIn(keys);
  const numbered = (source) =>
    (cardNumber ? source.replaceAll(CARD_CALL, (_, call, key) => call + cardNumber(key)) : source).replaceAll(
      CALL,
      (_, key) => `.text(${number(key)}`,
    );
  return { number, numbered, packed: await packed(folder, named, keys) };
}

export const card = await textsOf("src");
export const library = await textsOf("src/library", card.number);
