/** One download: its picture, what it does, one main button, and the rest in words. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Refusal } from "./commands";
import { ACTIVE, visible, type Job } from "./data";
import type { TextKey, Words } from "./format";
import { icon, type IconName } from "./icons";
import type { MediaPlayer } from "./play";

export type Action =
  | "cancel" | "retry" | "resume" | "pause" | "next" | "normal" | "keep" | "unkeep" | "remove" | "delete";

/** What the user has opened in a row, and what came of it. */
export interface RowView {
  open?: boolean;
  asking?: boolean;
  picking?: boolean;
  busy?: boolean;
  refusal?: Refusal;
  note?: string;
}

/** What all rows share; a new object where something of it has changed. */
export interface RowContext {
  words: Words;
  /** Whether the service takes commands now. */
  enabled: boolean;
  readOnly: boolean;
  thumbnails: boolean;
  tiles: { columns: number; rows: number } | undefined;
  players(): MediaPlayer[];
  mediaId(job: Job): string | undefined;
  mediaPage(job: Job): string | undefined;
  act(job: Job, action: Action): void;
  play(job: Job): void;
  playOn(job: Job, player: MediaPlayer): void;
  view(id: string, change: RowView): void;
}

/** What moves while a download runs. */
export interface Moving {
  progress: number | undefined;
  left: string;
  tile: number | undefined;
}

export function commandOf(job: Job, action: Action): object {
  const id = job.id;
  switch (action) {
    case "next":
      return { command: "prioritize", id, priority: "high" };
    case "normal":
      return { command: "prioritize", id, priority: "normal" };
    case "keep":
      return { command: "keep", id, keep: true };
    case "unkeep":
      return { command: "keep", id, keep: false };
    case "remove":
      return { command: "clear", id };
    case "delete":
      return { command: "delete", id, files: true };
    default:
      return { command: action, id };
  }
}

export function mainAction(job: Job): Action | undefined {
  if (job.status === "failed" || job.status === "cancelled") return "retry";
  if (job.status === "paused") return "resume";
  return job.status === "completed" || job.status === "review" ? undefined : "cancel";
}

export function moreActions(job: Job): Action[] {
  const rank: Action = job.priority === "high" ? "normal" : "next";
  switch (job.status) {
    case "queued":
    case "retrying":
      return ["pause", rank];
    case "paused":
      return ["cancel", rank];
    case "completed":
      return [job.keep ? "unkeep" : "keep", "remove", "delete"];
    case "failed":
    case "cancelled":
      return ["remove"];
    default:
      return ACTIVE.includes(job.status) ? ["pause"] : [];
  }
}

const MAIN_ICONS: Partial<Record<Action, IconName>> = { cancel: "close", retry: "retry", resume: "play" };
const PHASES = ["extracting", "merging", "converting", "subtitles", "moving"];

function doing(job: Job): TextKey | undefined {
  if (job.phase && PHASES.includes(job.phase)) return job.phase as TextKey;
  if (job.status === "extracting" || job.status === "processing") return job.status;
  return undefined;
}

function folderOf(job: Job): string {
  const parts = job.filename?.split("/") ?? [];
  return visible(parts.slice(0, -1).join("/"));
}

export type Part = [text: string | undefined, css?: string];

/** Return the known parts with dots between them. Each keeps its own direction of writing. */
export function joined(parts: Part[]): TemplateResult[] {
  return parts
    .filter(([text]) => text)
    .map(([text, css], index) => html`<span class=${css ?? ""}>${index ? " · " : ""}<bdi>${text}</bdi></span>`);
}

/** Return what stands below the title, the most important first: the end is cut off on small cards. */
function facts(job: Job, moving: Moving, words: Words, now: number): Part[] {
  const size: Part = [job.size ? words.size(job.size) : undefined];
  const items: Part = [
    job.total ? words.text("of", { done: job.done ?? 0, total: job.total }) : undefined,
  ];
  const site: Part = [job.site, "minor"];
  const priority: Part = [
    job.priority === "high" || job.priority === "low" ? words.text(job.priority) : undefined,
  ];
  if (ACTIVE.includes(job.status)) {
    const phase = doing(job);
    return [
      [phase && words.text(phase)],
      [moving.progress === undefined || job.status === "extracting" ? "" : words.percent(moving.progress)],
      items,
      [moving.left],
      [job.speed && !phase ? words.speed(job.speed) : undefined],
      site,
    ];
  }
  switch (job.status) {
    case "completed":
      return [
        [job.completed_at === undefined ? words.text("completed") : words.moment(job.completed_at, now)],
        items,
        size,
        [job.keep ? words.text("kept") : undefined],
        [folderOf(job), "minor"],
        site,
      ];
    case "failed":
      return [[words.error(job.error_code, job.error).what]];
    case "retrying":
      return [
        [
          job.next_retry_at === undefined
            ? words.text("waiting")
            : words.text("retrying", { time: words.moment(job.next_retry_at, now) }),
        ],
        [job.error_code || job.error ? words.error(job.error_code, job.error).what : undefined, "minor"],
        priority,
      ];
    case "paused":
      return [
        [words.text("paused")],
        [job.progress ? words.percent(job.progress) : undefined],
        priority,
        site,
      ];
    default:
      return [[words.text(job.status as TextKey)], items, priority, size, site];
  }
}

function thumbnail(job: Job, moving: Moving, context: RowContext): TemplateResult {
  const { tiles, words } = context;
  const name: IconName =
    job.status === "failed" ? "alert" : job.kind === "audio" || job.kind === "playlist" ? job.kind : "video";
  const length = job.duration ? html`<span class="length">${words.length(job.duration)}</span>` : nothing;
  if (!tiles || moving.tile === undefined || moving.tile >= tiles.columns * tiles.rows) {
    return html`<div class="thumb plain" aria-hidden="true">${icon(name)}${length}</div>`;
  }
  const x = (100 * (moving.tile % tiles.columns)) / (tiles.columns - 1 || 1);
  const y = (100 * Math.floor(moving.tile / tiles.columns)) / (tiles.rows - 1 || 1);
  const place = `background-size:${tiles.columns * 100}% ${tiles.rows * 100}%;background-position:${x}% ${y}%`;
  return html`<div class="thumb" aria-hidden="true" style=${place}>
    ${job.status === "failed" ? html`<span class="flag">${icon("alert")}</span>` : nothing}${length}
  </div>`;
}

function bar(job: Job, moving: Moving, title: string, words: Words): TemplateResult | typeof nothing {
  const paused = job.status === "paused" && job.progress;
  if (!ACTIVE.includes(job.status) && !paused) return nothing;
  const name = words.text("progress_of", { title });
  const phase = doing(job);
  if (moving.progress === undefined || (job.status === "extracting" && !moving.progress)) {
    const text = phase ? words.text(phase) : "";
    return html`<div class="bar busy" role="progressbar" aria-label=${name} aria-valuetext=${text}>
      <div></div>
    </div>`;
  }
  const percent = Math.floor(moving.progress);
  const parts = [words.percent(percent), phase ? words.text(phase) : moving.left];
  return html`<div
    class="bar ${paused ? "still" : ""}"
    role="progressbar"
    aria-label=${name}
    aria-valuenow=${percent}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuetext=${parts.filter(Boolean).join(", ")}
  >
    <div style="--done:${(moving.progress / 100).toFixed(4)}"></div>
  </div>`;
}

function details(job: Job, words: Words, now: number): TemplateResult {
  const error = words.error(job.error_code, job.error);
  const failed = job.status === "failed" || job.status === "retrying";
  const rows: [TextKey, string | undefined, string?][] = [
    ["site", job.site],
    ["size", job.size ? words.size(job.size) : undefined],
    ["duration", job.duration ? words.length(job.duration) : undefined],
    ["ended", job.completed_at === undefined ? undefined : words.moment(job.completed_at, now)],
    ["category", job.category],
    ["file", job.filename && visible(job.filename), "long"],
    ["message", failed && job.error !== error.what ? job.error : undefined, "long"],
  ];
  return html`<dl>
    ${rows.map(([key, value, css]) =>
      value
        ? html`<div class=${css ?? ""}>
            <dt>${words.text(key)}</dt>
            <dd dir="auto">${value}</dd>
          </div>`
        : nothing,
    )}
  </dl>`;
}

function deletion(job: Job, title: string, context: RowContext): TemplateResult {
  const { words } = context;
  const question = `ask-${job.id}`;
  const back = () => context.view(job.id, { asking: false });
  return html`<div
    class="ask"
    role="group"
    aria-labelledby=${question}
    @keydown=${(event: KeyboardEvent) => event.key === "Escape" && back()}
  >
    <span id=${question}>${words.text("delete_ask")}</span>
    <button
      class="text danger"
      aria-label=${words.text("action_of", { action: words.text("delete"), title })}
      @click=${() => context.act(job, "delete")}
    >
      ${words.text("delete")}
    </button>
    <button class="text" data-focus @click=${back}>${words.text("back")}</button>
  </div>`;
}

function actions(job: Job, view: RowView, context: RowContext): TemplateResult {
  const { words } = context;
  const playable = context.mediaId(job) !== undefined;
  const page = context.mediaPage(job);
  const picking = view.picking ?? false;
  return html`<div class="actions">
    ${
      playable
        ? html`<button
              class="text"
              aria-expanded=${picking}
              @click=${() => context.view(job.id, { picking: !picking })}
            >
              ${words.text("play_on")}
            </button>
            ${page ? html`<a class="text" href=${page}>${words.text("show_media")}</a>` : nothing}`
        : nothing
    }
    ${moreActions(job).map(
      (action) =>
        html`<button
          class="text ${action === "delete" ? "danger" : ""}"
          ?disabled=${!context.enabled || (view.busy ?? false)}
          @click=${() => context.act(job, action)}
        >
          ${words.text(action)}
        </button>`,
    )}
  </div>`;
}

function playerList(job: Job, context: RowContext): TemplateResult {
  const { words } = context;
  const players = context.players();
  if (!players.length) return html`<p class="hint">${words.text("no_players")}</p>`;
  return html`<div class="actions" role="group" aria-label=${words.text("play_on")}>
    ${players.map(
      (player) =>
        html`<button class="text" @click=${() => context.playOn(job, player)}>
          ${icon("play")}<span dir="auto">${player.name}</span>
        </button>`,
    )}
  </div>`;
}

function opened(job: Job, view: RowView, title: string, now: number, context: RowContext): TemplateResult {
  const { words } = context;
  const remedy = job.error_code || job.error ? words.error(job.error_code, job.error).remedy : "";
  const failed = job.status === "failed" || job.status === "retrying";
  const unplayable = job.status === "completed" && job.filename && context.mediaId(job) === undefined;
  return html`<div class="more" id="more-${job.id}">
    ${failed && remedy ? html`<p class="remedy">${remedy}</p>` : nothing}
    ${details(job, words, now)}
    ${unplayable ? html`<p class="hint">${words.text("no_media")}</p>` : nothing}
    ${context.readOnly ? nothing : view.asking ? deletion(job, title, context) : actions(job, view, context)}
    ${view.picking && !view.asking && !context.readOnly ? playerList(job, context) : nothing}
  </div>`;
}

function mainButton(job: Job, view: RowView, title: string, context: RowContext) {
  const { words } = context;
  const name = (action: TextKey) => words.text("action_of", { action: words.text(action), title });
  if (job.status === "completed") {
    if (context.mediaId(job) === undefined) return nothing;
    return html`<button
      class="round main"
      aria-label=${name("play")}
      title=${words.text("play")}
      ?disabled=${view.busy ?? false}
      @click=${() => context.play(job)}
    >
      ${icon("play")}
    </button>`;
  }
  const action = mainAction(job);
  if (!action || context.readOnly) return nothing;
  return html`<button
    class="round main"
    aria-label=${name(action)}
    title=${words.text(action)}
    aria-busy=${view.busy}
    ?disabled=${!context.enabled || (view.busy ?? false)}
    @click=${() => context.act(job, action)}
  >
    ${icon(MAIN_ICONS[action] ?? "close")}
  </button>`;
}

export function rowTemplate(
  job: Job,
  view: RowView,
  moving: Moving,
  now: number,
  context: RowContext,
): TemplateResult {
  const { words } = context;
  const title = job.title || words.text("untitled");
  const open = view.open ?? false;
  const toggle = () => context.view(job.id, { open: !open, asking: false, picking: false });
  const refusal = view.refusal && words.error(view.refusal.code, view.refusal.message);
  return html`<div class="line">
      ${context.thumbnails ? thumbnail(job, moving, context) : nothing}
      <div class="body" @click=${toggle}>
        <div class="name ${job.title ? "" : "untitled"}" dir="auto" title=${title}>${title}</div>
        <div class="meta">
          ${joined(facts(job, moving, words, now))}
        </div>
        ${bar(job, moving, title, words)}
      </div>
      ${mainButton(job, view, title, context)}
      <button
        class="round expander"
        aria-expanded=${open}
        aria-label=${words.text("action_of", { action: words.text("details"), title })}
        title=${words.text("details")}
        @click=${toggle}
      >
        ${icon("down")}
      </button>
    </div>
    ${refusal ? html`<p class="refusal">${icon("alert")}<span>${refusal.what} ${refusal.remedy}</span></p>` : nothing}
    ${view.note ? html`<p class="hint">${view.note}</p>` : nothing}
    ${open ? opened(job, view, title, now, context) : nothing}`;
}
