/** The Lovelace card `custom:mediarip-card`. */
import contents from "contents";
import { html, nothing, type TemplateResult } from "lit-html";
import { AddField } from "./add";
import { button } from "./button";
import { Commands, type Outcome, type Refusal } from "./commands";
import {
  ACTIVE, DeadReckoning, Entities, NOTHING, NO_JOB, readModel, type Hass, type Job, type Model,
} from "./data";
import { configForm, type CardConfig } from "./editor";
import { LiveElement, renderRows } from "./element";
import { Words } from "./format";
import { icon } from "./icons";
import { loadLibrary } from "./library";
import type { LibraryHost, LibraryView } from "./library/view";
import { noticeOf } from "./notice";
import { PlayerDialog, findPlayers, mediaId, playOn, type MediaPlayer } from "./play";
import {
  commandOf, joined, refusalLine, rowTemplate, type Action, type Moving, type RowContext, type RowView,
} from "./row";
import { SECTIONS, jobsOf, type Section } from "./sections";
import { findServices } from "./services";
import { Tiles } from "./tiles";

const SECOND = 1000;
const SEARCH_EVERY = 2 * SECOND;
const ROWS_PER_FRAME = 4;
const READ_ONLY: Refusal = { code: "read_only", message: "" };

// Shown where there is no service yet.
const EXAMPLES = [
  { ...NO_JOB, id: "1", status: "downloading", title: "Tears of Steel", progress: 42, speed: 3_100_000 },
  { ...NO_JOB, id: "2", title: "Sintel", size: 1_200_000_000, duration: 2520 },
];

export class MediaripCard extends LiveElement implements RowContext, LibraryHost {
  words = new Words({} as Hass);
  private _hass: Hass | undefined;
  private config: CardConfig | undefined;
  private entities: Entities | undefined;
  private model: Model = NOTHING;
  private readonly commands = new Commands();
  private readonly reckoning = new DeadReckoning();
  readonly tiles = new Tiles(this, () => this.requestUpdate());
  private readonly field = new AddField(this);
  readonly dialog = new PlayerDialog(this);
  private readonly views = new Map<string, RowView>();
  /** How many rows of a section are shown after "Show all". */
  private readonly limits = new Map<string, number>();
  readOnly = false;
  private refusal: Outcome = null;
  private library: LibraryView | undefined;
  private libraryOpen = false;
  /** Undefined: not tried yet. */
  private libraryLoads: boolean | undefined;
  private dropping = 0;
  private searched = 0;
  private live = "";
  private banner = "";
  now = Date.now();
  private timer = 0;
  private onScreen = true;
  private observer: IntersectionObserver | undefined;
  /** The rows to take the focus should its row leave the list, the best first. */
  private focused: [list: string | undefined, ...jobs: string[]] | undefined;

  constructor() {
    super(contents.styles);
  }

  static getConfigForm() {
    return configForm();
  }

  static getStubConfig(hass: Hass): Partial<CardConfig> {
    const [entity] = findServices(hass);
    return entity ? { entity } : {};
  }

  setConfig(config: CardConfig): void {
    const { entity, sections } = config;
    if (entity !== undefined && typeof entity !== "string") throw new Error("entity: the id of a sensor");
    if (sections !== undefined && !Array.isArray(sections)) throw new Error("sections: a list");
    if (entity !== this.config?.entity) {
      this.entities = undefined;
      this.model = NOTHING;
    }
    this.config = config;
    if (this._hass) this.take(this._hass);
    this.requestUpdate();
  }

  getCardSize(): number {
    return 8;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, min_rows: 3 };
  }

  set hass(hass: Hass) {
    const former = this._hass;
    this._hass = hass;
    if ((["locale", "language", "connected"] as const).some((key) => former?.[key] !== hass[key])) {
      this.words = new Words(hass);
      this.requestUpdate();
    }
    this.take(hass);
  }

  get hass(): Hass | undefined {
    return this._hass;
  }

  /** Called for every change in Home Assistant: does nothing unless one of the card's entities changed. */
  private take(hass: Hass): void {
    if (!this.config) return;
    const entity = this.config.entity || this.found(hass);
    if (!entity) return;
    if (this.entities?.status !== entity) this.entities = new Entities(entity);
    if (!this.entities.update(hass)) return;
    const { roles } = this.entities;
    this.now = Date.now();
    this.commands.observe(hass, roles);
    this.model = readModel(hass, roles, this.model);
    this.reckoning.observe(this.model.jobs, this.now);
    this.tiles.update(hass, roles, this.model.jobs);
    this.library?.update(hass, roles);
    if (this.libraryLoads === undefined && this.shows("review") && this.count("reviews") > 0) void this.loadLibrary();
    this.requestUpdate();
  }

  /** Return the number that an entity of the library shows; NaN if there is none. */
  private count(role: "reviews" | "library"): number {
    return Number(this._hass?.states[this.entities?.roles[role] ?? ""]?.state);
  }

  private async loadLibrary(): Promise<void> {
    this.libraryLoads = true;
    this.library = await loadLibrary(this);
    this.libraryLoads = !!this.library;
    if (this._hass && this.entities) this.library?.update(this._hass, this.entities.roles);
    this.requestUpdate();
  }

  private shows(section: string): boolean {
    const wanted = this.config?.sections;
    return !wanted?.length || wanted.includes(section);
  }

  private found(hass: Hass): string | undefined {
    if (this.entities) return this.entities.status;
    if (Date.now() - this.searched < SEARCH_EVERY) return undefined;
    this.searched = Date.now();
    return findServices(hass)[0];
  }

  connectedCallback(): void {
    this.requestUpdate();
    this.observer = new IntersectionObserver((entries) => {
      this.onScreen = entries.some((entry) => entry.isIntersecting);
      this.schedule();
    });
    this.observer.observe(this);
    document.addEventListener("visibilitychange", this.schedule);
    if (this._hass && this.entities) this.tiles.update(this._hass, this.entities.roles, this.model.jobs);
    this.schedule();
  }

  disconnectedCallback(): void {
    this.observer?.disconnect();
    document.removeEventListener("visibilitychange", this.schedule);
    this.tiles.release();
    clearInterval(this.timer);
    this.timer = 0;
  }

  /** Run the timer only while someone can see a download move. */
  private readonly schedule = (): void => {
    const moves = this.model.phase === "ready" && this.model.jobs.some((job) => ACTIVE.includes(job.status));
    const needed = this.isConnected && this.onScreen && !document.hidden && moves;
    if (needed && !this.timer) {
      this.timer = window.setInterval(() => {
        this.now = Date.now();
        this.requestUpdate();
      }, SECOND);
      this.now = Date.now();
      this.requestUpdate();
    } else if (!needed && this.timer) {
      clearInterval(this.timer);
      this.timer = 0;
    }
  };

  // Commands

  async send(command: object): Promise<Outcome> {
    const { _hass: hass, entities } = this;
    if (!hass || !entities) return { code: "no_answer", message: "" };
    const outcome = await this.commands.send(hass, entities, command);
    if (outcome?.code === "read_only") {
      this.readOnly = true;
      this.requestUpdate();
    }
    return outcome;
  }

  view(id: string, change: RowView): void {
    const view = { ...this.views.get(id), ...change };
    if (Object.values(view).some(Boolean)) this.views.set(id, view);
    else this.views.delete(id);
    this.requestUpdate();
    // The question takes the focus, on the harmless answer; it gives it back to the row.
    const within = change.asking ? ".ask button:last-child" : this.focusIn(".ask") ? ".expander" : "";
    if (within) void this.updateComplete.then(() => this.row(id)?.querySelector<HTMLElement>(within)?.focus());
  }

  /** Tell a screen reader what came of an action. */
  tell(outcome: Outcome, note: string): void {
    const text = outcome ? this.words.error(outcome.code, outcome.message).join(" ") : note;
    // The same text twice is read twice only if it differs.
    this.live = this.live === text ? `${text}\u00a0` : text;
    this.requestUpdate();
  }

  private async settle(job: Job, work: Promise<Outcome>, note: string): Promise<Outcome> {
    this.view(job.id, { busy: true, refusal: null, note: "" });
    const refusal = await work;
    this.view(job.id, { busy: false, refusal });
    this.tell(refusal, note);
    return refusal;
  }

  act(job: Job, action: Action): void {
    const asks = this.config?.confirm ?? true;
    if (action === "delete" && asks && !this.views.get(job.id)?.asking) {
      this.view(job.id, { asking: true, picking: false });
      return;
    }
    if (action === "delete") this.view(job.id, { asking: false });
    const note = this.words.text("done", { action: this.words.text(action) });
    void this.settle(job, this.send(commandOf(job, action)), note);
  }

  play(job: Job): void {
    const hass = this._hass;
    const id = this.mediaId(job);
    if (!hass || !id) return;
    void this.settle(job, this.dialog.open(hass, id, job, job.title || this.words.text("untitled")), "");
  }

  async playOn(job: Job, player: MediaPlayer): Promise<void> {
    const hass = this._hass;
    const id = this.mediaId(job);
    if (!hass || !id) return;
    const note = this.words.text("playing_on", { player: player.name });
    if (!(await this.settle(job, playOn(hass, player.id, id, job), note))) this.view(job.id, { note, picking: false });
  }

  private row(id: string): HTMLElement | null {
    return this.find(`[data-job="${CSS.escape(id)}"]`);
  }

  private focusIn(selector: string): Element | null | undefined {
    return this.root.activeElement?.closest(selector);
  }

  protected override beforeUpdate(): void {
    const row = this.focusIn("li");
    const list = row?.parentElement;
    this.focused = undefined;
    if (!(row instanceof HTMLElement) || !list) return;
    const jobs = [...list.children].map((item) => (item as HTMLElement).dataset["job"] ?? "");
    const place = [...list.children].indexOf(row);
    this.focused = [list.dataset["list"], ...jobs.slice(place), ...jobs.slice(0, place).reverse()];
  }

  protected override afterUpdate(): void {
    this.fillLists();
    this.library?.fill();
    this.schedule();
    this.growLists();
    this.keepFocus();
  }

  /** A row that left its list gives the focus to the next one. */
  private keepFocus(): void {
    if (!this.focused || this.root.activeElement) return;
    const [list, ...jobs] = this.focused;
    const next = jobs.map((id) => this.row(id)).find((row) => row?.parentElement?.dataset["list"] === list);
    const row = next ?? this.row(jobs[0] ?? "");
    const target = row?.querySelector<HTMLElement>(".main:not(:disabled), .expander");
    (target ?? this.find("#source:not(:disabled)") ?? this.find("h2"))?.focus();
  }

  /** Return how many rows of a list are shown as long as nobody asks for all. */
  private shortLimit(section: Section): number {
    return (section.key === "finished" ? this.config?.finished : undefined) ?? section.limit;
  }

  private limit(section: Section): number {
    return this.limits.get(section.key) ?? this.shortLimit(section);
  }

  private toggleList(section: Section): void {
    if (this.limits.has(section.key)) this.limits.delete(section.key);
    else this.limits.set(section.key, this.limit(section) + ROWS_PER_FRAME);
    this.requestUpdate();
  }

  /** Long lists grow by some rows in each frame, one list after the other: no frame is late. */
  private growLists(): void {
    const growing = SECTIONS.find((section) => {
      const limit = this.limits.get(section.key);
      return limit !== undefined && limit < jobsOf(section, this.model.jobs).length;
    });
    if (!growing) return;
    requestAnimationFrame(() => {
      const limit = this.limits.get(growing.key);
      if (limit === undefined) return;
      this.limits.set(growing.key, limit + ROWS_PER_FRAME);
      this.requestUpdate();
    });
  }

  get enabled(): boolean {
    // What is typed without a connection is lost: Home Assistant builds the page anew when it is back.
    return this._hass?.connected !== false && this.model.phase === "ready" && !this.model.storageLost;
  }

  get thumbnails(): boolean {
    return this.config?.thumbnails ?? true;
  }

  players(): MediaPlayer[] {
    return this._hass && this.config ? findPlayers(this._hass, this.config) : [];
  }

  mediaId(job: Job): string | undefined {
    return mediaId(this.config?.media ?? this.model.media, job);
  }

  private moving(job: Job): Moving {
    const left = this.reckoning.left(job, this.now);
    return {
      progress: this.reckoning.progress(job, this.now),
      left: left === undefined ? "" : this.words.text("left", { time: this.words.span(left) }),
      tile: this.tiles.of(job),
    };
  }

  private fill(list: Element, jobs: Job[]): void {
    const shown = new Map(jobs.map((job) => [job.id, job]));
    renderRows(list, shown, (job) => {
      const view = this.views.get(job.id) ?? {};
      return [`${job.status} ${view.open ? "open" : ""}`, rowTemplate(job, view, this.moving(job), this)];
    });
  }

  /** Render the rows of all lists: each keeps its element while others come and go. */
  private fillLists(): void {
    for (const section of SECTIONS) {
      const list = this.find(`ul[data-list=${section.key}]`);
      if (list) this.fill(list, jobsOf(section, this.model.jobs).slice(0, this.limit(section)));
    }
    const example = this.find(".example");
    if (example) this.fill(example, EXAMPLES);
  }

  private list(section: Section): TemplateResult | typeof nothing {
    const { words, model } = this;
    const jobs = jobsOf(section, model.jobs);
    if (!jobs.length) return nothing;
    const title = words.text(section.key);
    const hidden = section.key === "waiting" ? model.more : 0;
    const expanded = this.limits.has(section.key);
    const long = jobs.length > this.shortLimit(section);
    const show = expanded ? "show_fewer" : "show_all";
    return html`<section aria-labelledby="section-${section.key}">
      <div class="head">
        <h3 id="section-${section.key}">
          ${title} <span>${words.number(jobs.length + hidden)}</span>
        </h3>
        ${
          section.all && jobs.length > 1 && !this.readOnly
            ? button(words.text(section.all.label), () => void this.order(section.all?.command ?? {}), {
                disabled: !this.enabled,
              })
            : nothing
        }
        ${
          long
            ? button(words.text(show), () => this.toggleList(section), {
                expanded,
                name: words.text("action_of", { action: words.text(show), title }),
              })
            : nothing
        }
      </div>
      <ul class=${jobs.length > 1 ? "many" : ""} data-list=${section.key}></ul>
      ${hidden ? html`<p class="hint">${words.text("more", { n: hidden })}</p>` : nothing}
    </section>`;
  }

  // The rest of the card

  private header(): TemplateResult {
    const { words, model } = this;
    const ready = model.phase === "ready";
    const speed = model.jobs.reduce((sum, job) => sum + (ACTIVE.includes(job.status) ? job.speed ?? 0 : 0), 0);
    return html`<header>
      <h2 tabindex="-1" dir="auto">${this.config?.title || words.text("title")}</h2>
      <p class="summary">
        ${joined([
          [speed ? words.speed(speed) : undefined],
          [model.free === undefined ? undefined : words.text("free", { size: words.size(model.free) }), "minor"],
        ])}
      </p>
      ${
        ready && !model.pauseReason && !this.readOnly && !model.storageLost
          ? this.queueButton("pause")
          : nothing
      }
    </header>`;
  }

  /** Send a command that concerns no single row. */
  private async order(command: object): Promise<void> {
    const outcome = await this.send(command);
    if (outcome) this.tell(outcome, "");
    this.refusal = outcome;
    this.requestUpdate();
  }

  /** Return the button that holds the queue, or lets it go on. */
  private queueButton(command: "pause" | "resume"): TemplateResult {
    const { words } = this;
    const name = words.text("action_of", { action: words.text(command), title: words.text("title") });
    const icon = command === "pause" ? command : "play";
    return button(words.text(command), () => void this.order({ command }), { css: "quiet", icon, name });
  }

  private bannerTemplate(): TemplateResult | typeof nothing {
    const [css, name, text = ""] = noticeOf(this.model, this.words, this.now) ?? [];
    if (text !== this.banner && this.hasUpdated) this.live = text;
    this.banner = text;
    if (!name) return nothing;
    return html`<div class="banner ${css}">
      ${icon(name)}
      <p>${text}</p>
      ${name === "pause" && !this.readOnly ? this.queueButton("resume") : nothing}
    </div>`;
  }

  private hero(what: string, how: string, more: unknown = nothing): TemplateResult {
    return html`<div class="empty">
      ${icon("drop")}<strong>${what}</strong>
      <p>${how}</p>
      ${more}
    </div>`;
  }

  private missing(): TemplateResult {
    const { words } = this;
    const entity = this.config?.entity;
    if (entity) return this.hero(words.text("missing_entity", { entity }), words.text("missing_entity_how"));
    const examples = html`<ul class="example" inert aria-hidden="true"></ul>`;
    return this.hero(words.text("missing"), words.text("missing_how"), examples);
  }

  private content(): TemplateResult {
    const { words, model, config } = this;
    if (model.phase === "missing") return this.missing();
    if (model.phase === "starting" && !model.jobs.length) {
      return html`<p class="hint">${icon("clock")}${words.text("starting")}</p>`;
    }
    const adds = (config?.add ?? true) && !this.readOnly;
    const sections = SECTIONS.filter((section) => this.shows(section.key));
    const filed = this.count("library") + this.count("reviews") > 0;
    const any = filed || !sections.length || sections.some((section) => jobsOf(section, model.jobs).length);
    return html`
      ${this.bannerTemplate()}
      ${refusalLine(this.readOnly ? READ_ONLY : this.refusal, words)}
      ${adds ? this.field.render(model, words, this.enabled) : nothing}
      ${this.libraryLoads === false ? refusalLine({ code: "no_library", message: "" }, words) : nothing}
      ${this.shows("review") ? this.library?.reviewList() : nothing}
      ${sections.map((section) => this.list(section))}
      ${any || model.phase !== "ready" ? nothing : this.hero(words.text("empty"), adds ? words.text("empty_how") : "")}
      ${this.librarySection()}
    `;
  }

  private librarySection(): TemplateResult | typeof nothing {
    if (!this.entities?.roles.library || !this.shows("library")) return nothing;
    const { words, libraryOpen: expanded } = this;
    const title = words.text("library");
    const label = words.text("details");
    const toggle = (): void => {
      this.libraryOpen = !expanded;
      if (!this.libraryLoads) void this.loadLibrary();
      this.requestUpdate();
    };
    return html`<section aria-labelledby="section-library">
      <div class="head">
        <h3 id="section-library">${title} <span>${words.number(this.count("library") || 0)}</span></h3>
        ${button(label, toggle, {
          css: "round expander",
          icon: "down",
          name: words.text("action_of", { action: label, title }),
          expanded,
        })}
      </div>
      ${expanded ? this.library?.search() : nothing}
    </section>`;
  }

  private readonly dragged = (event: DragEvent): void => {
    const types = event.dataTransfer?.types ?? [];
    const links = types.includes("text/uri-list") || types.includes("text/plain");
    if (!links || !this.enabled || this.readOnly || this.config?.add === false) return;
    event.preventDefault();
    if (event.type === "dragenter") this.dropping += 1;
    if (event.type === "dragleave") this.dropping -= 1;
    if (event.type === "drop") {
      this.dropping = 0;
      if (event.dataTransfer) this.field.drop(event.dataTransfer);
    }
    if (event.type !== "dragover") this.requestUpdate();
  };

  protected override template(): TemplateResult | typeof nothing {
    if (!this.config || !this._hass) return nothing;
    const { words, model } = this;
    const rtl = getComputedStyle(this).direction === "rtl" ? "rtl" : "";
    return html`<ha-card
      lang=${words.language}
      @dragenter=${this.dragged}
      @dragover=${this.dragged}
      @dragleave=${this.dragged}
      @drop=${this.dragged}
    >
      <div class="card ${rtl} ${model.phase}">${this.header()} ${this.content()}</div>
      ${
        this.dropping > 0
          ? html`<div class="drop" aria-hidden="true">${icon("drop")}${words.text("drop")}</div>`
          : nothing
      }
      <div class="live" role="status">${this.live}</div>
      ${this.dialog.render(words)}
    </ha-card>`;
  }
}
