/** A title that waits for a person: accept the guess, correct it, or discard the file. */
import type { TemplateResult, nothing as Nothing } from "lit-html";
import type { Part } from "../row";
import { titleForm } from "./form";
import { describe, type Guess, type Review } from "./titles";
import { button, html, joined, nothing, refusalLine } from "./tools";
import type { LibraryHost, LibraryView, TitleView } from "./view";
import type { LibraryKey, LibraryWords } from "./words";

const NONE: Guess = { values: {} };
const REASONS: Record<string, LibraryKey> = { low_confidence: "unsure", conflict: "taken", duplicate: "twice" };

/** Return the texts of a dialog in the row about one title: "Accept: Tides". */
export const named = (view: LibraryView, action: string, title: string): string =>
  view.host.words.text("action_of", { action, title });

/** Return the buttons for a number that is taken. */
export function keepBoth(id: string, name: string, { busy, refused }: TitleView, view: LibraryView) {
  const { words, host } = view;
  if (!refused) return nothing;
  const keep = () => void view.answer(id, { ...refused, conflict: "rename" }, words.text("accepted", { title: name }));
  return html`<div class="actions">
    ${button(words.text("keep_both"), keep, { css: "strong", disabled: !host.enabled, busy })}
  </div>`;
}

function facts(review: Review, words: LibraryWords, { words: card }: LibraryHost): Part[] {
  const [guess] = review.guesses;
  const reason = REASONS[review.reason];
  const sure = guess?.confidence;
  return [
    ...(reason && (reason !== "unsure" || !guess) ? [[words.text(reason)] as Part] : []),
    ...(guess ? describe(guess, words, review.name) : []),
    [sure !== undefined && words.text("sure", { percent: card.percent(sure * 100) }), "minor"],
  ];
}

function details(review: Review, view: LibraryView): TemplateResult {
  const { words, host } = view;
  const card = host.words;
  const rows: Parameters<typeof detailList>[0] = [
    [words.text("detected"), review.detected, "long"],
    [words.text("channel"), review.channel],
    [card.text("duration"), review.length === undefined ? "" : card.length(review.length)],
    [card.text("size"), review.size === undefined ? "" : card.size(review.size)],
    [words.text("until"), review.until === undefined ? "" : card.moment(review.until, host.now)],
  ];
  return detailList(rows);
}

export function detailList(rows: [name: string, value: string | undefined, css?: string][]): TemplateResult {
  return html`<dl>
    ${rows.map(([name, value, css]) =>
      value ? html`<div class=${css ?? ""}><dt>${name}</dt><dd dir="auto">${value}</dd></div>` : nothing,
    )}
  </dl>`;
}

function others(review: Review, { choice = 0 }: TitleView, view: LibraryView): TemplateResult | typeof Nothing {
  const { words } = view;
  if (review.guesses.length < 2) return nothing;
  return html`<div class="actions guesses" role="group" aria-label=${words.text("instead")}>
    <span>${words.text("instead")}</span>
    ${review.guesses.map((guess, index) => {
      if (index === choice) return nothing;
      const label = describe(guess, words).map(([part]) => part).filter(Boolean).join(" · ");
      return button(label, () => view.take(review.id, index));
    })}
  </div>`;
}

function discard(review: Review, look: TitleView, view: LibraryView): TemplateResult {
  const { words, host } = view;
  const { id, name } = review;
  const back = () => view.view(id, { asking: false });
  const escape = (event: KeyboardEvent) => event.key === "Escape" && back();
  const send = () => void view.answer(id, { discard: true }, words.text("discarded", { title: name }));
  const state = { disabled: !host.enabled, busy: look.busy };
  if (!look.asking) {
    return html`<div class="actions">
      ${button(words.text("discard"), () => view.view(id, { asking: true }), {
        ...state, css: "danger discard", name: named(view, words.text("discard"), name),
      })}
    </div>`;
  }
  return html`<div class="ask" role="group" aria-labelledby="ask-${id}" @keydown=${escape}>
    <span id="ask-${id}">${words.text("discard_ask")}</span>
    ${button(words.text("discard"), send, { ...state, css: "danger", name: named(view, words.text("discard"), name) })}
    ${button(words.text("back"), back)}
  </div>`;
}

function opened(review: Review, look: TitleView, view: LibraryView): TemplateResult {
  const { words, host } = view;
  const { id, name, guesses } = review;
  const form = () =>
    titleForm(
      {
        id,
        guess: guesses[look.choice ?? 0] ?? { ...NONE, values: { title: name } },
        kind: look.kind,
        remembers: review.channel !== undefined,
        enabled: host.enabled,
        busy: look.busy ?? false,
        choose: (kind) => view.view(id, { kind }),
        save: (said) => {
          const choice = guesses.length ? { "choice": (look.choice ?? 0) + 1 } : {};
          void view.answer(id, { ...choice, ...said }, words.text("saved", { title: name }));
        },
      },
      words,
    );
  return html`<div class="more">
    ${details(review, view)}
    ${host.readOnly ? nothing : html`${others(review, look, view)} ${form()} ${discard(review, look, view)}`}
  </div>`;
}

export function reviewRow(review: Review, view: LibraryView): TemplateResult {
  const { words, host } = view;
  const { id } = review;
  const look = view.look(id);
  const name = review.name || host.words.text("untitled");
  const open = look.open ?? false;
  const taken = review.reason === "conflict";
  const toggle = () => view.view(id, { open: !open, ...(look.asking ? { asking: false } : {}) });
  const verb = words.text(taken ? "keep_both" : "accept");
  const accept = () =>
    void view.answer(id, { accept: true, ...(taken ? { conflict: "rename" } : {}) }, words.text("accepted", { title: name }));
  const details = host.words.text("details");
  return html`<div class="line">
      <div class="body" @click=${toggle}>
        <div class="name" dir="auto" title=${name}>${name}</div>
        <div class="meta">${joined(facts(review, words, host))}</div>
      </div>
      ${
        review.guesses.length && !host.readOnly
          ? button(verb, accept, {
              css: "round main", icon: "done", name: named(view, verb, name), disabled: !host.enabled, busy: look.busy,
            })
          : nothing
      }
      ${button(details, toggle, { css: "round expander", icon: "down", name: named(view, details, name), expanded: open })}
    </div>
    ${refusalLine(look.refusal, words)} ${keepBoth(id, name, look, view)}
    ${open ? opened(review, look, view) : nothing}`;
}
