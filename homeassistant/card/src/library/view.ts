/** Reviews and the search, within the card. */
import type { TemplateResult, nothing as Nothing } from "lit-html";
import type { Outcome, Refusal } from "../commands";
import type { Hass, Job, Roles } from "../data";
import type { LiveElement } from "../element";
import type { Words as CardWords } from "../format";
import type { PlayerDialog } from "../play";
import { reviewRow } from "./review";
import { titleRow } from "./result";
import { Search } from "./search";
import { readReviews, readTitles, type Kind, type Review, type Title } from "./titles";
import { html, nothing, renderRows } from "./tools";
import { libraryWords, styles, type LibraryWords } from "./words";

/** The part of the card that this file uses. */
export interface LibraryHost extends LiveElement {
  words: CardWords;
  now: number;
  enabled: boolean;
  readOnly: boolean;
  readonly dialog: PlayerDialog;
  hass: Hass | undefined;
  mediaId(job: Job): string | undefined;
  send(command: object): Promise<Outcome>;
  tell(outcome: Outcome, note: string): void;
}

/** What the user has opened in a row, and what came of it. */
export interface TitleView {
  open?: boolean;
  asking?: boolean;
  correcting?: boolean;
  busy?: boolean;
  refusal?: Refusal | null;
  kind?: Kind | undefined;
  choice?: number;
  /** What was refused because the number is taken. */
  refused?: object | undefined;
}

export class LibraryView {
  reviews = new Map<string, Review>();
  newest = new Map<string, Title>();
  private waiting = 0;
  private readonly views = new Map<string, TitleView>();
  private readonly finder: Search;
  private spoken: CardWords | undefined;
  private ownWords: LibraryWords | undefined;
  roles: Roles | undefined;

  constructor(readonly host: LibraryHost) {
    const style = document.createElement("style");
    style.textContent = styles;
    host.root.append(style);
    this.finder = new Search(this);
  }

  get words(): LibraryWords {
    const { host } = this;
    if (!this.ownWords || this.spoken !== host.words) {
      this.spoken = host.words;
      this.ownWords = libraryWords(host.hass ?? ({} as Hass), host.words);
    }
    return this.ownWords;
  }

  /** Take the lists. While the service is off the attributes are gone: the last known lists stay. */
  update(hass: Hass, roles: Roles): void {
    this.roles = roles;
    const reviews = hass.states[roles.reviews ?? ""];
    const raw = reviews?.attributes["reviews"];
    if (Array.isArray(raw)) {
      this.reviews = readReviews(raw);
      this.waiting = Number(reviews?.state) || 0;
    }
    const newest = hass.states[roles.library ?? ""]?.attributes["newest"];
    if (Array.isArray(newest)) this.newest = readTitles(newest);
  }

  look(id: string): TitleView {
    return this.views.get(id) ?? {};
  }

  view(id: string, change: TitleView): void {
    this.views.set(id, { ...this.views.get(id), ...change });
    this.host.requestUpdate();
    // The question takes the focus, on the harmless answer; it gives it back to the row.
    const focus = change.asking ? ".ask button:last-child" : change.asking === false ? ".discard" : "";
    if (focus) void this.host.updateComplete.then(() => this.within(id, focus)?.focus());
  }

  private within(id: string, selector: string): HTMLElement | null {
    return this.host.find(`[data-job="${CSS.escape(id)}"] ${selector}`);
  }

  /** Put the guess into the form, in the place of what was typed. */
  take(id: string, choice: number): void {
    this.view(id, { choice, kind: undefined });
    void this.host.updateComplete.then(() => (this.within(id, "form") as HTMLFormElement | null)?.reset());
  }

  /** Answer what a title is. */
  answer(id: string, said: object, note: string): Promise<void> {
    return this.order(id, "review", said, note);
  }

  async order(id: string, command: string, said: object, note: string): Promise<void> {
    this.view(id, { busy: true, refusal: null, refused: undefined });
    const refusal = await this.host.send({ command, id, ...said });
    const taken = refusal?.code === "conflict";
    this.view(id, { busy: false, refusal, refused: taken ? said : undefined, ...(refusal ? {} : { open: false, correcting: false }) });
    this.tell(refusal, note);
    if (!refusal) this.finder.again();
  }

  tell(refusal: Outcome, note: string): void {
    const [what, remedy] = refusal ? this.words.error(refusal.code, refusal.message) : [note, ""];
    this.host.tell(null, `${what} ${remedy}`.trim());
  }

  async play(title: Title): Promise<void> {
    const { host } = this;
    const job = jobOf(title);
    const media = host.mediaId(job);
    if (!media || !host.hass) return;
    this.view(title.id, { busy: true, refusal: null });
    const refusal = await host.dialog.open(host.hass, media, job, title.name);
    this.view(title.id, { busy: false, refusal });
    if (refusal) this.tell(refusal, "");
  }

  playable(title: Title): boolean {
    return this.host.mediaId(jobOf(title)) !== undefined;
  }

  /** Return the list of what waits for a review. */
  reviewList(): TemplateResult | typeof Nothing {
    const { words, reviews, waiting } = this;
    if (!reviews.size) return nothing;
    const more = Math.max(0, waiting - reviews.size);
    return html`<section aria-labelledby="section-review">
      <div class="head">
        <h3 id="section-review">${words.text("to_review")} <span>${words.number(reviews.size + more)}</span></h3>
      </div>
      <ul class=${reviews.size > 1 ? "many" : ""} data-list="review"></ul>
      ${more ? html`<p class="hint">${this.host.words.text("more", { n: more })}</p>` : nothing}
    </section>`;
  }

  /** Return the search with its results. */
  search(): TemplateResult {
    return this.finder.template();
  }

  /** Render the rows: each keeps its element, and what is typed in it, while others come and go. */
  fill(): void {
    const reviews = this.host.find("ul[data-list=review]");
    if (reviews) renderRows(reviews, this.reviews, (one) => [this.look(one.id).open ? "open" : "", reviewRow(one, this)]);
    const titles = this.host.find("ul[data-list=titles]");
    if (titles) renderRows(titles, this.finder.titles, (one) => [this.look(one.id).open ? "open" : "", titleRow(one, this)]);
  }
}

/** Return a title as what the card plays. */
function jobOf({ id, file, kind, whole, name }: Title): Job {
  const audio = kind === "music" || kind === "podcast";
  return {
    id, title: name, site: "", done: undefined, total: undefined, keep: false,
    status: whole ? "completed" : "", filename: file, kind: audio ? "audio" : "video",
  };
}
