/** Texts in the user's language, and numbers and times as the user's Home Assistant shows them. */
import type { Hass } from "./data";
import contents from "contents";
import type english from "./locales/en.json";

export type TextKey = keyof typeof english.text;
type Values = Record<string, string | number>;

const NUMBER_LOCALES: Record<string, string> = {
  comma_decimal: "en-US",
  decimal_comma: "de",
  space_comma: "fr",
  quote_decimal: "de-CH",
};

const MINUTE = 60;
const HOUR = 3600;

function numberLocale(hass: Hass, language: string): string | undefined {
  const format = hass.locale?.number_format ?? "language";
  if (format === "system") return undefined;
  return NUMBER_LOCALES[format] ?? language;
}

function hour12(hass: Hass): boolean | undefined {
  const format = hass.locale?.time_format;
  return format === "12" ? true : format === "24" ? false : undefined;
}

/** Return the card's language for a tag such as `de-CH`. */
export function languageOf(tag: string | undefined): "en" | "de" | "fr" {
  const language = (tag ?? "").toLowerCase().split(/[-_]/)[0] ?? "";
  return language === "de" || language === "fr" ? language : "en";
}

export class Words {
  readonly language: "en" | "de" | "fr";
  private readonly texts: string[];
  readonly dates: Intl.DateTimeFormatOptions;
  private readonly numbers: string | undefined;
  private readonly formats = new Map<string, Intl.NumberFormat>();
  readonly timeLocale: string;

  /** `source`: the texts, of the card or of its second file. */
  constructor(
    hass: Hass,
    private readonly source = contents,
  ) {
    const tag = hass.locale?.language ?? hass.language ?? "en";
    this.language = languageOf(tag);
    this.texts = source[this.language].split("|");
    // A language that the card does not speak: numbers go with the English text around them.
    this.timeLocale = tag.toLowerCase().startsWith(this.language) ? tag : this.language;
    this.numbers = numberLocale(hass, this.timeLocale);
    this.dates = {};
    const twelve = hour12(hass);
    if (twelve !== undefined) this.dates.hourCycle = twelve ? "h12" : "h23";
    if (hass.locale?.time_zone === "server" && hass.config?.time_zone) {
      this.dates.timeZone = hass.config.time_zone;
    }
  }

  /** Return a text; `build.mjs` puts its number in the place of a key that the source names. */
  private find(key: string | number | undefined): string | undefined {
    return this.texts[typeof key === "number" ? key : this.source.keys.split(" ").indexOf(key ?? "")];
  }

  text(key: TextKey, values: Values = {}): string {
    return (this.find(key) ?? key).replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name] ?? "";
      return typeof value === "number" ? this.number(value) : value;
    });
  }

  /** Return what went wrong, and what to do; for a code unknown to this version, the service's own text. */
  error(code: string | undefined, message: string | undefined): [what: string, remedy: string] {
    const [what, remedy = ""] = this.find(code)?.split("~") ?? [message || code || this.text("failed")];
    return [what ?? "", remedy];
  }

  private format(options: Intl.NumberFormatOptions): Intl.NumberFormat {
    const key = JSON.stringify(options);
    let format = this.formats.get(key);
    if (!format) {
      format = new Intl.NumberFormat(this.numbers, options);
      this.formats.set(key, format);
    }
    return format;
  }

  number(value: number): string {
    return this.format({}).format(value);
  }

  percent(value: number): string {
    return this.format({ style: "percent" }).format(Math.floor(value) / 100);
  }

  private scaled(bytes: number, suffix: string): string {
    const names = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
    let step = 0;
    let value = bytes;
    for (; value >= 999.5 && step < names.length - 1; step += 1) value /= 1000;
    const digits = value < 10 && step > 1 ? 1 : 0;
    return this.format({
      style: "unit",
      unit: names[step] + suffix,
      unitDisplay: "short",
      maximumFractionDigits: digits,
    }).format(value);
  }

  size(bytes: number): string {
    return this.scaled(bytes, "");
  }

  speed(bytes: number): string {
    return this.scaled(bytes, "-per-second");
  }

  private unit(value: number, unit: string): string {
    return this.format({ style: "unit", unit, maximumFractionDigits: 0 }).format(value);
  }

  /** Return a rough duration: "2 min". */
  span(seconds: number): string {
    if (seconds < MINUTE) return this.unit(Math.max(5, Math.ceil(seconds / 5) * 5), "second");
    const minutes = Math.round(seconds / MINUTE);
    if (minutes < 60) return this.unit(minutes, "minute");
    const rest = minutes % 60;
    return this.unit(Math.floor(minutes / 60), "hour") + (rest ? ` ${this.unit(rest, "minute")}` : "");
  }

  /** Return a length as players show it: "1:02:03". */
  length(seconds: number): string {
    const whole = Math.round(seconds);
    const parts = [Math.floor(whole / HOUR), Math.floor((whole % HOUR) / MINUTE), whole % MINUTE];
    if (!parts[0]) parts.shift();
    return parts.map((part, index) => (index ? String(part).padStart(2, "0") : String(part))).join(":");
  }

  private day(at: number): string {
    return new Intl.DateTimeFormat("en", { ...this.dates, dateStyle: "short" }).format(at);
  }

  /** Return the time of day, or the date if it is not today. */
  moment(at: number, now: number): string {
    if (this.day(at) === this.day(now)) {
      return new Intl.DateTimeFormat(this.timeLocale, {
        ...this.dates,
        hour: "numeric",
        minute: "2-digit",
      }).format(at);
    }
    const future: Intl.DateTimeFormatOptions = at > now ? { hour: "numeric", minute: "2-digit" } : {};
    return new Intl.DateTimeFormat(this.timeLocale, {
      ...this.dates,
      ...future,
      day: "numeric",
      month: "short",
    }).format(at);
  }
}
