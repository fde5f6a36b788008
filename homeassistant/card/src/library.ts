/** Loads the second file, which lies beside this one: reviews, and the search of the library. */
import type * as second from "./library/main";
import type { LibraryHost, LibraryView } from "./library/view";
import { TOOLS } from "./tools";

// The name of the build passes by what a browser or Home Assistant has cached of another version.
const FILE = "./mediarip-library.js?@BUILD@";

/** Return the view; undefined if the file is missing, or of another version. */
export async function loadLibrary(host: LibraryHost): Promise<LibraryView | undefined> {
  try {
    const file: typeof second = await import(FILE);
    if (!FILE.endsWith(file.build)) return undefined;
    file.setTools(TOOLS);
    return new file.LibraryView(host);
  } catch {
    return undefined;
  }
}
