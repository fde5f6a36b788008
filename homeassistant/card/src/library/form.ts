/** The form that says what a title is. */
import type { TemplateResult } from "lit-html";
import { ALL_FIELDS, COUNTS, FIELDS, KINDS, type Field, type Guess, type Kind } from "./titles";
import { button, html, nothing } from "./tools";
import type { LibraryWords } from "./words";

export interface FormOptions {
  id: string;
  guess: Guess;
  /** What is chosen in the form, where it differs from the guess. */
  kind: Kind | undefined;
  /** Whether an answer can be remembered for the channel. */
  remembers: boolean;
  enabled: boolean;
  busy: boolean;
  choose(kind: Kind): void;
  save(said: object): void;
}

const CUT = 120; // characters of a text in a list

const isCount = (field: Field): boolean => COUNTS.some((one) => one === field);

/** Return what the form says that the guess does not: lists cut long titles, so what is the same is not sent. */
function saidIn(form: HTMLFormElement, guess: Guess): object {
  const data = new FormData(form);
  const kind = KINDS.find((one) => one === data.get("content_type")) ?? "other";
  const said: Record<string, unknown> = { content_type: kind };
  const typed = (field: Field): string => String(data.get(field) ?? "").trim();
  const changed = (field: Field): boolean => typed(field) !== String(guess.values[field] ?? "");
  for (const field of FIELDS[kind]) {
    // Another kind, or the numbers within another show: the service takes nothing over.
    const anew = kind === guess.kind ? isCount(field) && changed("show") : typed(field).length < CUT;
    if (typed(field) && (anew || changed(field))) said[field] = isCount(field) ? Number(typed(field)) : typed(field);
  }
  if (data.get("remember")) said["remember"] = true;
  return said;
}

export function titleForm(options: FormOptions, words: LibraryWords): TemplateResult {
  const { id, guess, enabled } = options;
  const kind = options.kind ?? guess.kind ?? "other";
  const submitted = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!options.busy) options.save(saidIn(event.currentTarget as HTMLFormElement, guess));
  };
  const changed = (event: Event): void => options.choose((event.currentTarget as HTMLSelectElement).value as Kind);
  const field = (name: Field): TemplateResult => html`<label ?hidden=${!FIELDS[kind].includes(name)}>
    <span>${words.text(name)}</span>
    ${
      isCount(name)
        ? html`<input name=${name} type="number" min="0" max="9999999" step="1" value=${guess.values[name] ?? ""} />`
        : html`<input name=${name} dir="auto" maxlength="500" value=${guess.values[name] ?? ""} />`
    }
  </label>`;
  return html`<form class="options" data-form=${id} autocomplete="off" @submit=${submitted}>
    <label>
      <span>${words.text("content_type")}</span>
      <select name="content_type" @change=${changed}>
        ${KINDS.map((one) => html`<option value=${one} ?selected=${one === (guess.kind ?? "other")}>${words.text(one)}</option>`)}
      </select>
    </label>
    ${ALL_FIELDS.map(field)}
    ${
      options.remembers
        ? html`<label class="check wide"><input type="checkbox" name="remember" value="1" />${words.text("remember")}</label>`
        : nothing
    }
    <div class="actions wide">
      ${button(words.text("save"), null, { css: "strong", type: "submit", disabled: !enabled, busy: options.busy })}
    </div>
  </form>`;
}
