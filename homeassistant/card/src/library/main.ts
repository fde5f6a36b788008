/** The card's second file: reviews, and a look into the library. Loaded when one of them is shown. */
export { setTools } from "./tools";
export { LibraryView } from "./view";
/** The first file takes only a second one of the same build. */
export const build = "@BUILD@";
