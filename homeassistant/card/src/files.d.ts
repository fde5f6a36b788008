/** The styles and the locales as the build packs them. */
declare module "contents" {
  const contents: {
    styles: string;
    /** The names of the first texts, separated by spaces. */
    keys: string;
    /** Texts, separated by "|"; within one, "~" is between what went wrong and what to do. */
    en: string;
    de: string;
    fr: string;
  };
  export default contents;
}

/** The same of the second file. */
declare module "library-contents" {
  export { default } from "contents";
}
