declare module "*.css" {
  const text: string;
  export default text;
}

/** The locales as `build.mjs` packs them: keys separated by spaces, texts by line breaks. */
declare module "texts" {
  const texts: { keys: string; en: string; de: string; fr: string };
  export default texts;
}
