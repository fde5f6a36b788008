/** Plays a finished file here, or on one of the household's media players. */
import { html, nothing, type TemplateResult } from "lit-html";
import { button } from "./button";
import { refusalOf, type Outcome } from "./commands";
import type { Hass, Job } from "./data";
import type { CardConfig } from "./editor";
import type { LiveElement } from "./element";
import type { Words } from "./format";

const PLAY_MEDIA = 512; // Home Assistant's MediaPlayerEntityFeature.PLAY_MEDIA

export interface MediaPlayer {
  id: string;
  name: string;
}

/** Return the file's id in Home Assistant's media sources. */
export function mediaId(root: string | undefined, job: Job): string | undefined {
  return root && job.filename && job.status === "completed"
    ? `${root.replace(/\/+$/, "")}/${job.filename}`
    : undefined;
}

/** Return the address of a file's folder in Home Assistant's media panel. */
export function mediaPage(id: string): string {
  const folder = id.slice(0, id.lastIndexOf("/"));
  const steps = ["app,media-source://media_source", `,${folder}`];
  return `/media-browser/browser/${steps.map(encodeURIComponent).join("/")}`;
}

export function findPlayers(hass: Hass, config: CardConfig): MediaPlayer[] {
  const ids = config.players?.length
    ? config.players
    : Object.keys(hass.states).filter((id) => id.startsWith("media_player."));
  const found: MediaPlayer[] = [];
  for (const id of ids) {
    const state = hass.states[id];
    const plays = (Number(state?.attributes["supported_features"]) & PLAY_MEDIA) !== 0;
    if (state && plays && state.state !== "unavailable") {
      found.push({ id, name: String(state.attributes["friendly_name"] ?? id) });
    }
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

export async function playOn(hass: Hass, player: string, id: string, job: Job): Promise<Outcome> {
  const media = { media_content_id: id, media_content_type: job.kind === "audio" ? "music" : "video" };
  try {
    await hass.callService("media_player", "play_media", media, { entity_id: player }, false);
  } catch (error) {
    return refusalOf(error);
  }
  return null;
}

interface Playing {
  title: string;
  url: string;
  audio: boolean;
  failed: boolean;
}

/** The dialog that plays a file in the browser. */
export class PlayerDialog {
  private playing: Playing | undefined;

  constructor(private readonly host: LiveElement) {}

  async open(hass: Hass, id: string, job: Job, title: string): Promise<Outcome> {
    try {
      const media = await hass.callWS<{ url: string; mime_type: string }>({
        type: "media_source/resolve_media",
        media_content_id: id,
      });
      const url = hass.hassUrl?.(media.url) ?? media.url;
      const audio = media.mime_type.startsWith("audio/") || job.kind === "audio";
      this.playing = { title, url, audio, failed: false };
    } catch (error) {
      const refusal = refusalOf(error);
      return refusal.code === "read_only" ? refusal : { ...refusal, code: "cannot_resolve" };
    }
    this.host.requestUpdate();
    await this.host.updateComplete;
    this.dialog?.showModal();
    return null;
  }

  private get dialog(): HTMLDialogElement | null {
    return this.host.find("dialog");
  }

  private readonly closed = (): void => {
    this.playing = undefined;
    this.host.requestUpdate();
  };

  private readonly clicked = (event: MouseEvent): void => {
    if (event.target === this.dialog) this.dialog?.close(); // the backdrop
  };

  private readonly failed = (): void => {
    if (!this.playing) return;
    this.playing = { ...this.playing, failed: true };
    this.host.requestUpdate();
  };

  render(words: Words): TemplateResult | typeof nothing {
    const playing = this.playing;
    if (!playing) return nothing;
    const medium = playing.audio
      ? html`<audio controls autoplay src=${playing.url} @error=${this.failed}></audio>`
      : html`<video controls autoplay playsinline src=${playing.url} @error=${this.failed}></video>`;
    return html`<dialog aria-labelledby="playing" @close=${this.closed} @click=${this.clicked}>
      <header>
        <h2 id="playing" dir="auto">${playing.title}</h2>
        ${button(words.text("close"), () => this.dialog?.close(), { css: "round", icon: "close", name: words.text("close") })}
      </header>
      ${medium} ${playing.failed ? html`<p role="alert">${words.text("cannot_play")}</p>` : nothing}
    </dialog>`;
  }
}
