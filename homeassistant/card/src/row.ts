/** One download: its picture, what it does, one main button, and the rest in words. */
import { html, nothing, type TemplateResult } from "lit-html";
import { button } from "./button";
import type { Refusal } from "./commands";
import { ACTIVE, visible, type Job } from "./data";
import type { TextKey, Words } from "./format";
import { icon, type IconName } from "./icons";
import { mediaPage, type MediaPlayer } from "./play";

export type Action =
  | "cancel" | "retry" | "resume" | "pause" | "next" | "normal" | "keep" | "unkeep" | "remove" | "delete";

/** What the user has opened in a row, and what came of it. */
export interface RowView {
  open?: boolean;
  asking?: boolean;
  picking?: boolean;
  busy?: boolean;
  refusal?: Refusal | null;
  note?: string;
}

/** What all rows share. */
export interface RowContext {
  words: Words;
  now: number;
  /** Whether the service takes commands now. */
  enabled: boolean;
  readOnly: boolean;
  thumbnails: boolean;
  tiles: { ready: boolean; columns: number; rows: number };
  players(): MediaPlayer[];
  mediaId(job: Job): string | undefined;
  act(job: Job, action: Action): void;
  play(job: Job): void;
  playOn(job: Job, player: MediaPlayer): Promise<void>;
  view(id: string, change: RowView): void;
}

/** What moves while a download runs. */
export interface Moving {
  progress: number | undefined;
  left: string;
  tile: number | undefined;
}

export function commandOf({ id }: Job, action: Action): object {
  switch (action) {
    case "next":
    case "normal":
      return { command: "prioritize", id, priority: action === "next" ? "high" : action };
    case "keep":
    case "unkeep":
      return { command: "keep", id, keep: action === "keep" };
    case "remove":
      return { command: "clear", id };
    case "delete":
      return { command: "delete", id, files: true };
    default:
      return { command: action, id };
  }
}

/** Return the actions of a job: that of the main button, then the others. */
export function actionsOf(job: Job): [Action | undefined, ...Action[]] {
  const rank: Action = job.priority === "high" ? "normal" : "next";
  switch (job.status) {
    case "queued":
    case "retrying":
      return ["cancel", "pause", rank];
    case "paused":
      return ["resume", "cancel", rank];
    case "completed":
      return [undefined, job.keep ? "unkeep" : "keep", "remove", "delete"];
    case "failed":
    case "cancelled":
      return ["retry", "remove"];
    default:
      return ACTIVE.includes(job.status) ? ["cancel", "pause"] : [undefined];
  }
}

const MAIN_ICONS: Partial<Record<Action, IconName>> = { cancel: "close", retry: "retry", resume: "play" };
const PHASES = ["extracting", "merging", "converting", "subtitles", "moving", "processing"];

function doing(job: Job, words: Words): string {
  const phase = [job.phase, job.status].find((name) => name && PHASES.includes(name));
  return phase ? words.text(phase as TextKey) : "";
}

export type Part = [text: string | undefined | false, css?: string];

/** Return the known parts with dots between them. Each keeps its own direction of writing. */
export function joined(parts: Part[]): TemplateResult[] {
  return parts
    .filter(([text]) => text)
    .map(([text, css], index) => html`<span class=${css ?? ""}>${index ? " · " : ""}<bdi>${text}</bdi></span>`);
}

/** Return what stands below the title, the most important first: the end is cut off on small cards. */
function facts(job: Job, moving: Moving, { words, now }: RowContext): Part[] {
  const site: Part = [job.site, "minor"];
  const size = job.size && words.size(job.size);
  const items: Part = [job.total && words.text("of", { done: job.done ?? 0, total: job.total }) || ""];
  const rank = job.priority === "high" || job.priority === "low" ? job.priority : undefined;
  const priority: Part = [
    rank && words.text("action_of", { action: words.text("priority"), title: words.text(rank) }),
  ];
  const error = words.error(job.error_code, job.error)[0];
  const percent = moving.progress ? words.percent(moving.progress) : "";
  switch (job.status) {
    case "completed":
      return [
        [job.completed_at ? words.moment(job.completed_at, now) : words.text("finished")],
        items,
        [size || ""],
        [job.keep && words.text("kept")],
        [visible(job.filename?.split("/").slice(0, -1).join("/") ?? ""), "minor"],
        site,
      ];
    case "failed":
      return [[error]];
    case "retrying": {
      const time = job.next_retry_at;
      return [
        [time ? words.text("retrying", { time: words.moment(time, now) }) : words.text("waiting")],
        [job.error_code && error, "minor"],
        priority,
      ];
    }
    case "queued":
    case "paused":
    case "review":
    case "cancelled":
      return [[words.text(job.status)], [percent], items, priority, site];
    default: {
      const phase = doing(job, words);
      return [[phase], [percent], items, [moving.left], [!phase && job.speed && words.speed(job.speed) || ""], site];
    }
  }
}

function thumbnail(job: Job, { tile }: Moving, { tiles, words }: RowContext): TemplateResult {
  const kind = job.kind === "audio" || job.kind === "playlist" ? job.kind : "video";
  const failed = job.status === "failed";
  const shown = tiles.ready && tile !== undefined && tile < tiles.columns * tiles.rows;
  let place = "";
  if (shown) {
    const x = (100 * (tile % tiles.columns)) / (tiles.columns - 1 || 1);
    const y = (100 * Math.floor(tile / tiles.columns)) / (tiles.rows - 1 || 1);
    place = `background:var(--tiles) ${x}% ${y}%/${tiles.columns * 100}% ${tiles.rows * 100}%`;
  }
  return html`<div class="thumb" aria-hidden="true" style=${place}>
    ${failed || !shown ? icon(failed ? "alert" : kind) : nothing}
    ${job.duration ? html`<span class="length">${words.length(job.duration)}</span>` : nothing}
  </div>`;
}

function bar(job: Job, { progress, left }: Moving, title: string, words: Words): TemplateResult | typeof nothing {
  const paused = job.status === "paused";
  if (!ACTIVE.includes(job.status) && !(paused && progress)) return nothing;
  const phase = doing(job, words);
  const unknown = progress === undefined || (job.status === "extracting" && !progress);
  const percent = unknown ? nothing : Math.floor(progress);
  const parts = [unknown ? "" : words.percent(progress), phase || left].filter(Boolean);
  return html`<div
    class="bar ${unknown ? "busy" : paused ? "still" : ""}"
    role="progressbar"
    aria-label=${words.text("action_of", { action: words.text("progress"), title })}
    aria-valuenow=${percent}
    aria-valuetext=${parts.join(", ")}
  >
    <div style=${unknown ? "" : `--done:${(progress / 100).toFixed(4)}`}></div>
  </div>`;
}

function details(job: Job, { words, now }: RowContext): TemplateResult {
  const failed = job.status === "failed" || job.status === "retrying";
  const rows: [TextKey, string | number | undefined | false, string?][] = [
    ["site", job.site],
    ["size", job.size && words.size(job.size)],
    ["duration", job.duration && words.length(job.duration)],
    ["finished", job.completed_at && words.moment(job.completed_at, now)],
    ["category", job.category],
    ["file", job.filename && visible(job.filename), "long"],
    ["message", failed && job.error, "long"],
  ];
  return html`<dl>
    ${rows.map(([key, value, css]) =>
      value ? html`<div class=${css ?? ""}><dt>${words.text(key)}</dt><dd dir="auto">${value}</dd></div>` : nothing,
    )}
  </dl>`;
}

function deletion(job: Job, name: (key: TextKey) => string, context: RowContext): TemplateResult {
  const { words } = context;
  const back = () => context.view(job.id, { asking: false });
  const escape = (event: KeyboardEvent) => event.key === "Escape" && back();
  return html`<div class="ask" role="group" aria-labelledby="ask-${job.id}" @keydown=${escape}>
    <span id="ask-${job.id}">${words.text("delete_ask")}</span>
    ${button(words.text("delete"), () => context.act(job, "delete"), { css: "danger", name: name("delete") })}
    ${button(words.text("back"), back)}
  </div>`;
}

function actions(job: Job, view: RowView, context: RowContext): TemplateResult {
  const { words } = context;
  const media = context.mediaId(job);
  const picking = view.picking ?? false;
  const pick = () => context.view(job.id, { picking: !picking });
  const [, ...others] = actionsOf(job);
  return html`<div class="actions">
    ${
      media
        ? html`${button(words.text("play_on"), pick, { expanded: picking })}
            <a href=${mediaPage(media)}>${words.text("show_media")}</a>`
        : nothing
    }
    ${others.map((action) =>
      button(
        action === "normal"
          ? words.text("action_of", { action: words.text("priority"), title: words.text("normal") })
          : words.text(action),
        () => context.act(job, action),
        { css: action === "delete" ? "danger" : "", disabled: !context.enabled, busy: view.busy },
      ),
    )}
  </div>`;
}

function playerList(job: Job, context: RowContext): TemplateResult {
  const players = context.players();
  if (!players.length) return html`<p class="hint">${context.words.text("no_players")}</p>`;
  return html`<div class="actions" role="group" aria-label=${context.words.text("play_on")}>
    ${players.map((player) => button(player.name, () => void context.playOn(job, player), { icon: "play" }))}
  </div>`;
}

function opened(job: Job, view: RowView, name: (key: TextKey) => string, context: RowContext): TemplateResult {
  const { words, readOnly } = context;
  const [, remedy] = job.error_code ? words.error(job.error_code, job.error) : [];
  const unplayable = job.status === "completed" && job.filename && !context.mediaId(job);
  return html`<div class="more">
    ${remedy ? html`<p>${remedy}</p>` : nothing} ${details(job, context)}
    ${unplayable ? html`<p class="hint">${words.text("no_media")}</p>` : nothing}
    ${readOnly ? nothing : view.asking ? deletion(job, name, context) : actions(job, view, context)}
    ${view.picking && !readOnly ? playerList(job, context) : nothing}
  </div>`;
}

/** Return why a command had no effect, and what to do. */
export function refusalLine(refusal: Refusal | null | undefined, words: Pick<Words, "error">): TemplateResult | typeof nothing {
  if (!refusal) return nothing;
  const [what, remedy] = words.error(refusal.code, refusal.message);
  return html`<p class="hint refusal">${icon("alert")}<span>${what} ${remedy}</span></p>`;
}

function mainButton(job: Job, view: RowView, name: (key: TextKey) => string, context: RowContext) {
  const { words, enabled, readOnly } = context;
  const css = "round main";
  if (context.mediaId(job)) {
    const play = () => context.play(job);
    return button(words.text("play"), play, { css, icon: "play", name: name("play"), busy: view.busy });
  }
  const [action] = actionsOf(job);
  if (!action || readOnly) return nothing;
  return button(words.text(action), () => context.act(job, action), {
    css,
    icon: MAIN_ICONS[action] ?? "close",
    name: name(action),
    disabled: !enabled,
    busy: view.busy,
  });
}

export function rowTemplate(job: Job, view: RowView, moving: Moving, context: RowContext): TemplateResult {
  const { words } = context;
  const title = job.title || words.text("untitled");
  const name = (key: TextKey) => words.text("action_of", { action: words.text(key), title });
  const open = view.open ?? false;
  const toggle = () => context.view(job.id, { open: !open, asking: false, picking: false });
  return html`<div class="line">
      ${context.thumbnails ? thumbnail(job, moving, context) : nothing}
      <div class="body" @click=${toggle}>
        <div class="name ${job.title ? "" : "untitled"}" dir="auto" title=${title}>${title}</div>
        <div class="meta">${joined(facts(job, moving, context))}</div>
        ${bar(job, moving, title, words)}
      </div>
      ${mainButton(job, view, name, context)}
      ${button(words.text("details"), toggle, { css: "round expander", icon: "down", name: name("details"), expanded: open })}
    </div>
    ${refusalLine(view.refusal, words)} ${view.note ? html`<p class="hint">${view.note}</p>` : nothing}
    ${open ? opened(job, view, name, context) : nothing}`;
}
