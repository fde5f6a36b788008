/** The picture with all thumbnails: loaded once for each of its states, shown as a background. */
import type { Hass, Job, Roles } from "./data";

export class Tiles {
  columns = 0;
  rows = 0;
  private loaded = "";
  private loading = "";
  private url = "";
  /** The tiles that the loaded picture surely holds. */
  private known = new Map<string, number>();

  constructor(
    private readonly host: HTMLElement,
    private readonly changed: () => void,
  ) {}

  get ready(): boolean {
    return this.url !== "" && this.columns > 0;
  }

  /** Return a job's tile, unless the picture at hand may still show another job there. */
  of(job: Job): number | undefined {
    if (!this.loading || this.known.get(job.id) === job.tile) return job.tile;
    return undefined;
  }

  update(hass: Hass, roles: Roles, jobs: Job[]): void {
    const state = hass.states[roles.tiles ?? ""];
    if (!this.loading) this.remember(jobs);
    const path = state?.attributes["entity_picture"];
    const grid = state?.attributes["tiles"] as { columns?: unknown; rows?: unknown } | undefined;
    if (!state || typeof path !== "string" || !grid || !Number.isFinite(Date.parse(state.state))) return;
    this.columns = Number(grid.columns) || 0;
    this.rows = Number(grid.rows) || 0;
    if (state.state === this.loaded || this.loading) return;
    void this.load(hass, path, state.state);
  }

  private remember(jobs: Job[]): void {
    this.known.clear();
    for (const job of jobs) if (job.tile !== undefined) this.known.set(job.id, job.tile);
  }

  private async load(hass: Hass, path: string, version: string): Promise<void> {
    this.loading = version;
    try {
      const response = await (hass.fetchWithAuth?.(path) ?? fetch(path));
      if (response.ok) {
        const url = URL.createObjectURL(await response.blob());
        this.release();
        this.url = url;
        this.host.style.setProperty("--tiles", `url("${url}")`);
      }
    } catch {
      // Without the picture the rows show an icon; the next state loads it again.
    }
    this.loaded = version;
    this.loading = "";
    this.changed();
  }

  release(): void {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = "";
    this.loaded = "";
  }
}
