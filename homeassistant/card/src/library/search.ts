/** The search of the library. Its results come back in the sensor with the replies, a page at a time. */
import type { TemplateResult, nothing as Nothing } from "lit-html";
import type { Refusal } from "../commands";
import { readTitles, type Title } from "./titles";
import { button, html, nothing, refusalLine } from "./tools";
import type { LibraryView } from "./view";

const PAGE = 15; // as many as the sensor shows
const FIELD = "#library-words";

export class Search {
  /** What was searched for last; none: the newest titles are shown. */
  private query = "";
  private found: Map<string, Title> | undefined;
  private complete = true;
  private searching = 0; // counts the searches, so that a late answer is left alone
  private busy = false;
  private refusal: Refusal | null = null;

  constructor(private readonly view: LibraryView) {}

  get titles(): Map<string, Title> {
    return this.found ?? this.view.newest;
  }

  /** Search again: a title was changed. */
  again(): void {
    if (this.found) void this.search(this.query);
  }

  private async search(query: string, before?: string): Promise<void> {
    const { host } = this.view;
    const number = ++this.searching;
    this.busy = true;
    this.refusal = null;
    host.requestUpdate();
    const command = { command: "titles", "limit": PAGE, ...(query ? { query } : {}), ...(before ? { before } : {}) };
    // Another reply may have taken the place of ours before the card saw it: ask once more.
    const answer = (await this.ask(command)) ?? (await this.ask(command));
    if (number !== this.searching) return;
    this.busy = false;
    if (answer instanceof Map) {
      this.query = query;
      this.found = before ? new Map([...(this.found ?? []), ...answer]) : answer;
      this.complete = answer.size < PAGE;
      const { words } = this.view;
      this.view.tell(null, words.text(answer.size ? "found" : "not_found", { query }));
    } else {
      this.refusal = answer ?? { code: "no_answer", message: "" };
      this.view.tell(this.refusal, "");
    }
    host.requestUpdate();
  }

  /** Return titles, a refusal, or undefined if the reply was not seen. */
  private async ask(command: object): Promise<Map<string, Title> | Refusal | undefined> {
    const { host, roles } = this.view;
    const bytes = crypto.getRandomValues(new Uint8Array(9));
    const request_id = "find" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const refusal = await host.send({ ...command, request_id });
    if (refusal) return refusal;
    const reply = host.hass?.states[roles?.response ?? ""]?.attributes;
    return reply?.["request_id"] === request_id && reply["titles"] ? readTitles(reply["titles"]) : undefined;
  }

  private readonly submitted = (event: SubmitEvent): void => {
    event.preventDefault();
    const typed = this.view.host.find<HTMLInputElement>(FIELD)?.value.trim() ?? "";
    if (typed) {
      void this.search(typed);
    } else {
      this.searching += 1;
      this.found = undefined;
      this.busy = false;
      this.refusal = null;
      this.view.host.requestUpdate();
    }
  };

  private hint(): string {
    const { words, newest } = this.view;
    const { query, found } = this;
    if (this.busy) return words.text("searching");
    if (found) return words.text(found.size ? "found" : "not_found", { query });
    return words.text(newest.size ? "newest" : "empty");
  }

  private older(): TemplateResult | typeof Nothing {
    const last = [...(this.found?.keys() ?? [])].pop();
    if (this.complete || !last) return nothing;
    const { words, host } = this.view;
    return html`<div class="actions">
      ${button(words.text("older"), () => void this.search(this.query, last), { disabled: !host.enabled, busy: this.busy })}
    </div>`;
  }

  template(): TemplateResult {
    const { words, host } = this.view;
    return html`<form class="add" role="search" @submit=${this.submitted} autocomplete="off">
        <div class="field">
          <input
            id="library-words"
            type="search"
            enterkeyhint="search"
            aria-label=${words.text("search_field")}
            placeholder=${words.text("search_field")}
            dir="auto"
            maxlength="200"
            ?disabled=${!host.enabled || host.readOnly}
          />
          ${button(words.text("search"), null, {
            css: "strong", type: "submit", disabled: !host.enabled || host.readOnly, busy: this.busy,
          })}
        </div>
        ${refusalLine(this.refusal, words)}
      </form>
      <p class="hint">${this.hint()}</p>
      <ul class=${this.titles.size > 1 ? "many" : ""} data-list="titles"></ul>
      ${this.older()}`;
  }
}
