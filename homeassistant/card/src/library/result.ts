/** A title that was found, or one of the newest. */
import type { TemplateResult } from "lit-html";
import type { Part } from "../row";
import { titleForm } from "./form";
import { detailList, keepBoth, named } from "./review";
import { numberOf, type Title } from "./titles";
import { button, html, joined, nothing, refusalLine } from "./tools";
import type { LibraryView, TitleView } from "./view";
import { dateOf } from "./words";

function facts(title: Title, view: LibraryView): Part[] {
  const { words, host } = view;
  const { values, kind, size, published } = title;
  const of = kind === "music" ? values.artist : values.show;
  return [
    [of === undefined ? kind && words.text(kind) : String(of)],
    [numberOf(values) || (kind === "movie" && values.year !== undefined && String(values.year))],
    [published !== undefined && dateOf(published, host.words)],
    [size !== undefined && host.words.size(size)],
    [title.watched && words.text("watched")],
  ];
}

function details(title: Title, view: LibraryView): TemplateResult {
  const { words, host } = view;
  const { values, kind } = title;
  const line = (value: string | number | undefined) => (value === undefined ? "" : String(value));
  const date = (at: number | undefined) => (at === undefined ? "" : dateOf(at, host.words));
  return detailList([
    [words.text("content_type"), kind && words.text(kind)],
    [words.text("show"), line(values.show)],
    [words.text("artist"), line(values.artist)],
    [words.text("album"), line(values.album)],
    [words.text("year"), line(values.year)],
    [words.text("published"), date(title.published)],
    [words.text("added"), date(title.added)],
    [host.words.text("file"), title.file, "long"],
  ]);
}

function opened(title: Title, look: TitleView, view: LibraryView): TemplateResult {
  const { words, host } = view;
  const { id, name } = title;
  const watch = () =>
    void view.order(id, "watched", { watched: !title.watched }, words.text("saved", { title: name }));
  const correct = () => view.view(id, { correcting: !look.correcting });
  const form = () =>
    titleForm(
      {
        id,
        guess: title,
        kind: look.kind,
        remembers: false,
        enabled: host.enabled,
        busy: look.busy ?? false,
        choose: (kind) => view.view(id, { kind }),
        save: (said) => void view.answer(id, said, words.text("saved", { title: name })),
      },
      words,
    );
  return html`<div class="more">
    ${details(title, view)}
    ${
      title.whole && !host.readOnly
        ? html`<div class="actions">
              ${button(words.text(title.watched ? "unwatch" : "watch"), watch, {
                disabled: !host.enabled, busy: look.busy,
              })}
              ${button(words.text("correct"), correct, {
                expanded: look.correcting ?? false, disabled: !host.enabled, name: named(view, words.text("correct"), name),
              })}
            </div>
            ${look.correcting ? form() : nothing}`
        : nothing
    }
  </div>`;
}

export function titleRow(title: Title, view: LibraryView): TemplateResult {
  const { words, host } = view;
  const { id } = title;
  const look = view.look(id);
  const name = title.name || host.words.text("untitled");
  const open = look.open ?? false;
  const toggle = () => view.view(id, { open: !open });
  const [play, details] = [host.words.text("play"), host.words.text("details")];
  return html`<div class="line">
      <div class="body" @click=${toggle}>
        <div class="name" dir="auto" title=${name}>${name}</div>
        <div class="meta">${joined(facts(title, view))}</div>
      </div>
      ${
        view.playable(title)
          ? button(play, () => void view.play(title), {
              css: "round main", icon: "play", name: named(view, play, name), busy: look.busy,
            })
          : nothing
      }
      ${button(details, toggle, { css: "round expander", icon: "down", name: named(view, details, name), expanded: open })}
    </div>
    ${refusalLine(look.refusal, words)} ${keepBoth(id, name, look, view)}
    ${open ? opened(title, look, view) : nothing}`;
}
