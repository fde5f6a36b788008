/** Icons as stroked paths on a 24 px grid. They are decoration: each stands beside a word or a name. */
import { html, type TemplateResult } from "lit-html";

const PATHS = {
  add: "M12 5v14M5 12h14",
  alert: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17.2v.1",
  audio: "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1 0-.1M19 16a2.5 2.5 0 1 1 0-.1",
  clock: "M12 3.5a8.5 8.5 0 1 0 .1 0M12 7.5V12l3 2",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  disk: "M4 14h16M6 5h12l2 9v5H4v-5zM16.5 16.6v.1",
  done: "M5 12.5l4.5 4.5L19 7.5",
  down: "M6 9.5l6 6 6-6",
  drop: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  off: "M4 4l16 16M8.5 8.6a6 6 0 0 0-1 8.9h9.9M10.7 6.7a6 6 0 0 1 6.7 4.8 3.6 3.6 0 0 1 2.2 5.6",
  options: "M4 8h9M18 8h2M4 16h2M11 16h9M15.5 5.8v4.4M8.5 13.8v4.4",
  pause: "M9 6v12M15 6v12",
  play: "M8.5 5.5v13l10.5-6.5z",
  playlist: "M4 6.5h16M4 11.5h9M4 16.5h9M16 13v6l4.5-3z",
  retry: "M5 12a7 7 0 1 1 2.2 5.1M5 20v-4.5h4.5",
  video: "M4 6h16v12H4zM10 9.5v5l4.5-2.5z",
};

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true" class="icon ${name}-icon"><path d=${PATHS[name]} /></svg>`;
}
