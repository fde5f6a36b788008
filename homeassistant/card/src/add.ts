/** The field that adds downloads: typed, pasted or dropped. */
import { html, nothing, type TemplateResult } from "lit-html";
import { button } from "./button";
import type { Outcome, Refusal } from "./commands";
import type { Model } from "./data";
import type { LiveElement } from "./element";
import type { TextKey, Words } from "./format";
import { refusalLine } from "./row";

const LINK = /https?:\/\/[^\s<>"]+/gi;
const ADDRESS = /^(\S*:\/\/\S*|[^\s/:@]+\.[a-z]{2,}(:\d+)?([/?#]\S*)?)$/i;
const FIELD = "#source";

export function linksIn(text: string): string[] {
  return [...new Set(text.match(LINK) ?? [])];
}

/** Return what to send for a typed text: the one link in it, or search words. */
export function sourceOf(text: string): { url: string } | { query: string } {
  const typed = text.trim();
  const [link] = linksIn(typed);
  if (link) return { url: link };
  return ADDRESS.test(typed) ? { url: typed } : { query: typed };
}

export interface AddHost extends LiveElement {
  words: Words;
  send(command: object): Promise<Outcome>;
  tell(outcome: Outcome, note: string): void;
}

export class AddField {
  private open = false;
  private sound = false;
  /** Several links that the user is asked about, or those of them that are still to be sent. */
  private links: string[] = [];
  private sending = false;
  private refusal: Refusal | null = null;

  constructor(private readonly host: AddHost) {}

  /** Take a drop: one link is sent at once, several are asked about. */
  drop(data: DataTransfer): void {
    const listed = data.getData("text/uri-list").replace(/^#.*$/gm, "");
    const links = linksIn(listed || data.getData("text/plain"));
    if (links.length > 1) this.ask(links);
    else if (links[0] && !this.sending) void this.send([{ url: links[0] }], links[0]);
  }

  private ask(links: string[]): void {
    if (this.sending) return;
    this.links = links;
    this.refusal = null;
    this.changed(".ask button");
  }

  private changed(focus?: string): void {
    this.host.requestUpdate();
    if (focus) void this.host.updateComplete.then(() => this.host.find(focus)?.focus());
  }

  private get field(): HTMLInputElement | null {
    return this.host.find<HTMLInputElement>(FIELD);
  }

  private readonly pasted = (event: ClipboardEvent): void => {
    const links = linksIn(event.clipboardData?.getData("text") ?? "");
    if (links.length < 2) return;
    event.preventDefault();
    this.ask(links);
  };

  private readonly submitted = (event: SubmitEvent): void => {
    event.preventDefault();
    const text = this.field?.value ?? "";
    const links = linksIn(text);
    if (links.length > 1) this.ask(links);
    else if (text.trim() && !this.sending) void this.send([sourceOf(text)], text);
  };

  /** Return the options as they stand in the form; hidden ones do not count. */
  private chosen(): object {
    const form = this.host.find<HTMLFormElement>("form");
    const chosen: Record<string, string> = {};
    for (const [name, value] of form ? new FormData(form) : []) {
      const text = String(value).trim();
      // The form holds the browser's local time.
      if (text) chosen[name] = name === "not_before" ? new Date(text).toISOString() : text;
    }
    return chosen;
  }

  private async send(sources: object[], text: string): Promise<void> {
    const { host } = this;
    const options = this.chosen();
    this.refusal = null;
    this.sending = true;
    for (const source of sources) {
      this.changed();
      this.refusal = await host.send({ command: "download", ...source, ...options });
      if (this.refusal) break;
      this.links = this.links.slice(1);
    }
    this.sending = false;
    if (this.field) this.field.value = this.refusal ? text : "";
    host.tell(this.refusal, host.words.text("added"));
    this.changed(FIELD);
  }

  private select(name: string, label: string, values: [value: string, text: string][], disabled = false) {
    return html`<select name=${name} aria-label=${label} ?disabled=${disabled}>
      ${values.map(([value, text]) => html`<option value=${value}>${text}</option>`)}
    </select>`;
  }

  private formats(model: Model, words: Words): TemplateResult {
    const label = (name: string) => (name === "best" ? words.text("best") : name);
    const standard = words.text("default_format") + (model.preset ? ` (${label(model.preset)})` : "");
    const presets = model.presets.map((name): [string, string] => [name, label(name)]);
    return this.select("preset", words.text("format"), [["", standard], ...presets], this.sound);
  }

  private options(words: Words): TemplateResult {
    const labelled = (key: TextKey, control: unknown) =>
      html`<label><span>${words.text(key)}</span>${control}</label>`;
    const priorities = (["normal", "high", "low"] as const).map((key): [string, string] => [
      key === "normal" ? "" : key,
      words.text(key),
    ]);
    return html`<div class="options">
      <label class="check">
        <input
          type="checkbox"
          name="media_type"
          value="audio"
          @change=${() => {
            this.sound = !this.sound;
            this.changed();
          }}
        />${words.text("sound_only")}
      </label>
      ${labelled("folder", html`<input name="folder" autocapitalize="off" spellcheck="false" dir="auto" />`)}
      ${labelled("later", html`<input name="not_before" type="datetime-local" />`)}
      ${labelled("priority", this.select("priority", words.text("priority"), priorities))}
    </div>`;
  }

  private several(words: Words): TemplateResult | typeof nothing {
    const { links } = this;
    if (links.length < 2 || this.sending) return nothing;
    const add = () => void this.send(links.map((url) => ({ url })), "");
    const discard = () => {
      this.links = [];
      this.refusal = null;
      this.changed(FIELD);
    };
    return html`<div class="ask" role="group" aria-labelledby="many">
      <span id="many">${words.text("add_many", { n: links.length })}</span>
      ${button(words.text("add"), add, { css: "strong" })} ${button(words.text("discard"), discard)}
    </div>`;
  }

  render(model: Model, words: Words, enabled: boolean): TemplateResult {
    const { open, sending, links, refusal } = this;
    const toggle = () => {
      // What is hidden is not sent: closing the options resets them.
      this.open = !open;
      this.sound = false;
      this.changed();
    };
    const left = sending && links.length > 1 ? ` ${links.length}` : "";
    return html`<form class="add" @submit=${this.submitted} autocomplete="off">
      <div class="field">
        <input
          id="source"
          aria-label=${words.text("field")}
          placeholder=${words.text("field")}
          enterkeyhint="go"
          autocapitalize="off"
          spellcheck="false"
          dir="auto"
          maxlength="8000"
          ?disabled=${!enabled}
          ?readonly=${sending}
          aria-invalid=${refusal !== null}
          aria-describedby="refused"
          @paste=${this.pasted}
        />
        <div class="with">
          ${model.presets.length ? this.formats(model, words) : nothing}
          ${button(words.text("options"), toggle, {
            css: "quiet toggle",
            icon: "options",
            name: words.text("options"),
            expanded: open,
            disabled: !enabled,
          })}
          ${button(words.text(sending ? "sending" : "add") + left, null, {
            css: "strong",
            icon: "add",
            disabled: !enabled,
            type: "submit",
          })}
        </div>
      </div>
      ${open ? this.options(words) : nothing} ${this.several(words)}
      <div id="refused">${refusalLine(refusal, words)}</div>
    </form>`;
  }
}
