/** Titles of the library, and guesses at what one is, as Home Assistant's entities have them. */
import type { Part } from "../row";
import { isObject, number, shown, text, time } from "./tools";
import type { LibraryWords } from "./words";

export const KINDS = ["tv", "movie", "music", "podcast", "other"] as const;
export type Kind = (typeof KINDS)[number];

/** The fields that say what a title is. */
export const LINES = ["show", "title", "artist", "album"] as const;
export const COUNTS = ["season", "episode", "year", "track"] as const;
export type Field = (typeof LINES)[number] | (typeof COUNTS)[number];

/** Which of them each kind has, in the order of the form. */
export const FIELDS: Record<Kind, Field[]> = {
  tv: ["show", "season", "episode", "title"],
  movie: ["title", "year"],
  music: ["artist", "album", "track", "title", "year"],
  podcast: ["show", "title"],
  other: ["title"],
};
export const ALL_FIELDS: Field[] = ["show", "artist", "album", "season", "episode", "track", "title", "year"];

/** A guess at what a title is, or what it is. */
export interface Guess {
  kind?: Kind | undefined;
  values: { [field in Field]?: string | number | undefined };
  confidence?: number | undefined;
}

/** A title, or one that waits for a review; sizes in bytes, times in milliseconds. */
export interface Title extends Guess {
  id: string;
  name: string;
  size?: number | undefined;
  file?: string | undefined;
  published?: number | undefined;
  added?: number | undefined;
  watched: boolean;
  /** Whether its file is in its place. */
  whole: boolean;
}

export interface Review {
  id: string;
  name: string;
  /** The page's title, if it is another one. */
  detected?: string | undefined;
  reason: string;
  until?: number | undefined;
  channel?: string | undefined;
  length?: number | undefined;
  size?: number | undefined;
  guesses: Guess[];
}

function readGuess(raw: Record<string, unknown>): Guess {
  const values: Guess["values"] = {};
  for (const key of LINES) values[key] = shown(raw[key]);
  for (const key of COUNTS) values[key] = number(raw[key]);
  const kind = KINDS.find((one) => one === raw["content_type"]);
  return { kind, values, confidence: number(raw["confidence"]) };
}

function readTitle(raw: Record<string, unknown>, id: string): Title {
  const guess = readGuess(raw);
  return {
    ...guess,
    id,
    name: String(guess.values.title ?? ""),
    size: number(raw["filesize"]),
    file: text(raw["organized_to"]),
    published: time(raw["published_at"]),
    added: time(raw["created_at"]),
    watched: time(raw["watched_at"]) !== undefined,
    whole: (raw["state"] ?? "completed") === "completed",
  };
}

function readReview(raw: Record<string, unknown>, id: string): Review {
  const guesses = Array.isArray(raw["candidates"]) ? raw["candidates"] : [];
  return {
    id,
    name: shown(raw["title"]) ?? "",
    detected: shown(raw["detected_title"]),
    reason: text(raw["reason"]) ?? "",
    until: time(raw["review_until"]),
    channel: shown(raw["channel"]),
    length: number(raw["duration"]),
    size: number(raw["filesize"]),
    guesses: guesses.filter(isObject).map(readGuess),
  };
}

/** Read a list by its entries' ids; what is no entry is left out. */
function readList<T>(raw: unknown, read: (one: Record<string, unknown>, id: string) => T): Map<string, T> {
  const found = new Map<string, T>();
  for (const one of Array.isArray(raw) ? raw : []) {
    const id = isObject(one) ? text(one["id"]) : undefined;
    if (id && isObject(one)) found.set(id, read(one, id));
  }
  return found;
}

export const readTitles = (raw: unknown): Map<string, Title> => readList(raw, readTitle);
export const readReviews = (raw: unknown): Map<string, Review> => readList(raw, readReview);

const two = (value: string | number): string => String(value).padStart(2, "0");

/** Return season and episode: "S01E02". */
export function numberOf({ season, episode }: Guess["values"]): string {
  return season === undefined || episode === undefined ? "" : `S${two(season)}E${two(episode)}`;
}

/** Return what tells a title from others of its kind, but its own title where that is said already. */
export function describe({ kind, values }: Guess, words: LibraryWords, name = ""): Part[] {
  const title = values.title === name ? undefined : values.title;
  const said: Record<Kind, (string | number | undefined)[]> = {
    tv: [values.show, numberOf(values), title],
    movie: [title, values.year],
    music: [values.artist, values.album, title],
    podcast: [values.show, title],
    other: [title],
  };
  return kind ? [[words.text(kind)], ...said[kind].map((one): Part => [one === undefined ? "" : String(one)])] : [];
}
