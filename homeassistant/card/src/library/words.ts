/** The texts of this file; numbers and times are the card's. */
import contents from "library-contents";
import type { Hass } from "../data";
import type { Words as CardWords } from "../format";
import type english from "./locales/en.json";
import { Words } from "./tools";

const ERRORS = contents.keys.split(" ");

export type LibraryKey = keyof typeof english.text;

export interface LibraryWords extends Omit<CardWords, "text"> {
  text(key: LibraryKey, values?: Record<string, string | number>): string;
}

/** Return the texts in the user's language; errors that only the card knows are told by it. */
export function libraryWords(hass: Hass, card: CardWords): LibraryWords {
  const own = new Words(hass, contents);
  const error = own.error.bind(own);
  own.error = (code, message) => (ERRORS.includes(code ?? "") ? error : card.error.bind(card))(code, message);
  return own as unknown as LibraryWords;
}

/** Return a date with its year, as the user's Home Assistant shows it. */
export function dateOf(at: number, { timeLocale, dates }: CardWords): string {
  return new Intl.DateTimeFormat(timeLocale, { ...dates, dateStyle: "medium" }).format(at);
}

export const styles = contents.styles;
