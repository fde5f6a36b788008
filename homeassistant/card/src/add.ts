/** The field that adds downloads: typed, pasted or dropped. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Outcome, Refusal } from "./commands";
import type { Model } from "./data";
import type { LiveElement } from "./element";
import type { Words } from "./format";
import { icon } from "./icons";

const LINK = /https?:\/\/[^\s<>"]+/gi;
const HOST = /^[^\s/:@]+\.[a-z]{2,}(:\d+)?([/?#]\S*)?$/i;

export function linksIn(text: string): string[] {
  return [...new Set(text.match(LINK) ?? [])];
}

/** Return what to send for a typed text: the one link in it, or search words. */
export function sourceOf(text: string): { url: string } | { query: string } {
  const [link] = linksIn(text);
  if (link) return { url: link };
  const typed = text.trim();
  return HOST.test(typed) || /^\S*:\/\/\S*$/.test(typed) ? { url: typed } : { query: typed };
}

export interface AddHost extends LiveElement {
  send(command: object): Promise<Outcome>;
  announce(text: string): void;
  words: Words;
}

export class AddField {
  private open = false;
  private sound = false;
  private links: string[] = [];
  private sending: { done: number; total: number } | undefined;
  private refusal: Refusal | undefined;

  constructor(private readonly host: AddHost) {}

  /** Take a drop: one link is sent at once, several are asked about. */
  drop(data: DataTransfer): void {
    const listed = data.getData("text/uri-list").replace(/^#.*$/gm, "");
    this.offer(linksIn(listed || data.getData("text/plain")));
  }

  private offer(links: string[]): void {
    if (this.sending) return;
    this.links = links;
    this.refusal = links.length ? undefined : { code: "invalid_url", message: "" };
    if (links.length === 1) void this.send(links.map((url) => ({ url })));
    else this.changed(links.length ? "[data-many]" : undefined);
  }

  private changed(focus?: string): void {
    this.host.requestUpdate();
    if (focus) void this.host.updateComplete.then(() => this.host.find<HTMLElement>(focus)?.focus());
  }

  private readonly pasted = (event: ClipboardEvent): void => {
    const links = linksIn(event.clipboardData?.getData("text") ?? "");
    if (links.length < 2) return;
    event.preventDefault();
    this.offer(links);
  };

  private readonly submitted = (event: SubmitEvent): void => {
    event.preventDefault();
    const text = this.host.find<HTMLInputElement>("#source")?.value ?? "";
    const links = linksIn(text);
    if (this.sending) return;
    if (links.length > 1) this.offer(links);
    else if (text.trim()) void this.send([sourceOf(text)]);
    else this.host.find<HTMLInputElement>("#source")?.focus();
  };

  private chosen(): object {
    const form = this.host.find<HTMLFormElement>("form.add");
    const values = form ? new FormData(form) : new FormData();
    const value = (name: string): string => String(values.get(name) ?? "").trim();
    const chosen: Record<string, string> = {};
    if (value("sound")) chosen["media_type"] = "audio";
    else if (value("preset")) chosen["preset"] = value("preset");
    if (value("folder")) chosen["folder"] = value("folder");
    if (value("priority")) chosen["priority"] = value("priority");
    // The field holds the browser's local time.
    if (value("later")) chosen["not_before"] = new Date(value("later")).toISOString();
    return chosen;
  }

  private async send(sources: object[]): Promise<void> {
    const { host } = this;
    const options = this.chosen();
    const several = sources.length > 1;
    const left = [...this.links];
    this.refusal = undefined;
    this.sending = { done: 0, total: sources.length };
    for (const source of sources) {
      this.changed();
      const outcome = await host.send({ command: "download", ...source, ...options });
      if (outcome) {
        this.refusal = outcome;
        break;
      }
      this.sending = { done: this.sending.done + 1, total: sources.length };
      left.shift();
    }
    const { done } = this.sending;
    this.sending = undefined;
    const input = this.host.find<HTMLInputElement>("#source");
    const single = left.length === 1 && this.refusal ? left[0] : undefined;
    this.links = several && this.refusal ? left : [];
    if (input) {
      if (!this.refusal) input.value = several ? input.value : "";
      else if (single && !input.value) input.value = single;
    }
    if (this.refusal) {
      const { what, remedy } = host.words.error(this.refusal.code, this.refusal.message);
      host.announce(`${what} ${remedy}`);
    } else {
      host.announce(several ? host.words.text("added_n", { n: done }) : host.words.text("added"));
    }
    this.changed("#source");
  }

  private formats(model: Model, words: Words): TemplateResult {
    const label = (name: string) => (name === "best" ? words.text("best") : name);
    const preset = model.preset ? label(model.preset) : undefined;
    return html`<select name="preset" aria-label=${words.text("format")} ?disabled=${this.sound}>
      <option value="">
        ${preset ? words.text("default_format_is", { name: preset }) : words.text("default_format")}
      </option>
      ${model.presets.map((name) => html`<option value=${name}>${label(name)}</option>`)}
    </select>`;
  }

  private options(words: Words): TemplateResult {
    return html`<div class="options" id="options">
      <label class="check">
        <input
          type="checkbox"
          name="sound"
          value="1"
          .checked=${this.sound}
          @change=${(event: Event) => {
            this.sound = (event.target as HTMLInputElement).checked;
            this.changed();
          }}
        />
        ${words.text("sound_only")}
      </label>
      <label>
        <span>${words.text("folder")}</span>
        <input name="folder" autocomplete="off" autocapitalize="off" spellcheck="false" dir="auto" />
      </label>
      <label>
        <span>${words.text("later")}</span>
        <input name="later" type="datetime-local" />
      </label>
      <label>
        <span>${words.text("priority")}</span>
        <select name="priority">
          <option value="high">${words.text("priority_high")}</option>
          <option value="" selected>${words.text("priority_normal")}</option>
          <option value="low">${words.text("priority_low")}</option>
        </select>
      </label>
    </div>`;
  }

  private several(words: Words): TemplateResult | typeof nothing {
    const n = this.links.length;
    if (n < 2 || this.sending) return nothing;
    return html`<div class="ask" role="group" aria-labelledby="many">
      <span id="many">${words.text("add_many", { n })}</span>
      <button
        type="button"
        class="text strong"
        data-many
        @click=${() => void this.send(this.links.map((url) => ({ url })))}
      >
        ${words.text("add_n", { n })}
      </button>
      <button
        type="button"
        class="text"
        @click=${() => {
          this.links = [];
          this.refusal = undefined;
          this.changed("#source");
        }}
      >
        ${words.text("discard")}
      </button>
    </div>`;
  }

  private status(words: Words): TemplateResult | typeof nothing {
    if (this.sending && this.sending.total > 1) {
      const { done, total } = this.sending;
      return html`<p class="hint">${words.text("sending_some", { done, total })}</p>`;
    }
    if (!this.refusal) return nothing;
    const { what, remedy } = words.error(this.refusal.code, this.refusal.message);
    return html`<p class="refusal" id="refused">${icon("alert")}<span>${what} ${remedy}</span></p>`;
  }

  render(model: Model, words: Words, enabled: boolean): TemplateResult {
    const sending = this.sending !== undefined;
    const off = !enabled;
    return html`<form class="add" @submit=${this.submitted} autocomplete="off">
      <div class="field">
        <input
          id="source"
          class="source"
          aria-label=${words.text("field")}
          placeholder=${words.text("field")}
          enterkeyhint="go"
          autocapitalize="off"
          spellcheck="false"
          dir="auto"
          maxlength="8000"
          ?disabled=${off}
          ?readonly=${sending}
          aria-invalid=${this.refusal}
          aria-describedby=${this.refusal ? "refused" : nothing}
          @paste=${this.pasted}
        />
        <div class="with">
          ${model.presets.length ? this.formats(model, words) : nothing}
          <button
            type="button"
            class="text quiet toggle"
            aria-expanded=${this.open}
            ?disabled=${off}
            @click=${() => {
              // What is hidden is not sent: closing the options resets them.
              this.open = !this.open;
              this.sound = false;
              this.changed();
            }}
          >
            ${icon("options")}<span>${words.text("options")}</span>
          </button>
          <button class="text strong" ?disabled=${off} aria-disabled=${sending}>
            ${icon("add")}<span>${sending ? words.text("sending") : words.text("add")}</span>
          </button>
        </div>
      </div>
      ${this.open ? this.options(words) : nothing} ${this.several(words)} ${this.status(words)}
    </form>`;
  }
}
