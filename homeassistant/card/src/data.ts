/** Reads the service's jobs and state from Home Assistant's entities. Everything read is checked. */

export interface EntityState {
  entity_id: string;
  state: string;
  attributes: Record<string, unknown>;
  last_changed: string;
}

/** The part of Home Assistant's `hass` object that the card uses. */
export interface Hass {
  states: Record<string, EntityState | undefined>;
  entities?: Record<string, { device_id?: string | null } | undefined>;
  connected?: boolean;
  language?: string;
  locale?: { language?: string; number_format?: string; time_format?: string; time_zone?: string };
  config?: { time_zone?: string };
  callService(
    domain: string,
    service: string,
    data: object,
    target?: { entity_id: string },
    notifyOnError?: boolean,
  ): Promise<unknown>;
  callWS<T>(message: { type: string; [key: string]: unknown }): Promise<T>;
  fetchWithAuth?(path: string): Promise<Response>;
  hassUrl?(path: string): string;
}

const WORDS = ["phase", "filename", "priority", "error_code"] as const;
const LINES = ["error", "category"] as const;
const NUMBERS = ["progress", "speed", "eta", "size", "tile", "duration"] as const;
const TIMES = ["at", "next_retry_at", "completed_at"] as const;

type Texts = { [key in (typeof WORDS)[number] | (typeof LINES)[number]]?: string | undefined };
type Numbers = { [key in (typeof NUMBERS)[number] | (typeof TIMES)[number]]?: number | undefined };

/** A job as the service lists it; sizes in bytes, times in milliseconds. */
export interface Job extends Texts, Numbers {
  id: string;
  status: string;
  title: string;
  site: string;
  kind: string;
  /** Of a playlist: its items. */
  done: number | undefined;
  total: number | undefined;
  keep: boolean;
}

export const ACTIVE = ["extracting", "downloading", "processing"];

const KNOWN = [...ACTIVE, "queued", "paused", "retrying", "review", "completed", "failed", "cancelled"];

export const NO_JOB: Job = {
  id: "",
  status: "completed",
  title: "",
  site: "videos.example",
  kind: "video",
  done: undefined,
  total: undefined,
  keep: false,
};

type Raw = Record<string, unknown>;

export const isObject = (value: unknown): value is Raw => typeof value === "object" && value !== null;
export const text = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() ? value : undefined;
// Bidirectional overrides and control characters would let a title disguise the text around it.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;
export const visible = (value: string): string => value.replace(HIDDEN, " ").trim();
export const shown = (value: unknown): string | undefined => text(visible(text(value) ?? ""));
export const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
export const time = (value: unknown): number | undefined => {
  const parsed = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
};

function readJob(raw: unknown): Job | undefined {
  if (!isObject(raw)) return undefined;
  const id = text(raw["id"]);
  const status = text(raw["status"]);
  if (!id || !status || !KNOWN.includes(status)) return undefined;
  const items = isObject(raw["items"]) ? raw["items"] : {};
  const job: Job = {
    id,
    status,
    title: shown(raw["title"]) ?? "",
    site: shown(raw["site"]) ?? "",
    kind: text(raw["kind"]) ?? "video",
    done: number(items["completed"]),
    total: number(items["total"]),
    keep: raw["keep"] === true,
  };
  for (const key of WORDS) job[key] = text(raw[key]);
  for (const key of LINES) job[key] = shown(raw[key]);
  for (const key of NUMBERS) job[key] = number(raw[key]);
  for (const key of TIMES) job[key] = time(raw[key]);
  return job;
}

/** The entities of one service's device, by what they are for. */
export interface Roles {
  status: string;
  notify?: string;
  response?: string;
  finished?: string;
  failed?: string;
  tiles?: string;
  preset?: string;
  reviews?: string;
  library?: string;
}

const BY_ATTRIBUTE = {
  response: "recent", finished: "finished", failed: "failed", tiles: "tiles", reviews: "reviews", library: "newest",
} as const;

/** Find the service's other entities by domain and attribute, so that they can be renamed. */
export class Entities {
  private registry?: Hass["entities"];
  private ids: string[] = [];
  private seen: (EntityState | undefined)[] = [];
  roles: Roles;

  constructor(readonly status: string) {
    this.roles = { status };
  }

  /** Return whether an entity that the card shows has changed. */
  update(hass: Hass): boolean {
    if (hass.entities !== this.registry) {
      this.registry = hass.entities;
      const device = hass.entities?.[this.status]?.device_id;
      const all = Object.keys(hass.entities ?? {});
      this.ids = device ? all.filter((id) => hass.entities?.[id]?.device_id === device) : [];
      if (!this.ids.includes(this.status)) this.ids.push(this.status);
      this.roles = { status: this.status };
    }
    this.findRoles(hass);
    const states = Object.values(this.roles).map((id: string) => hass.states[id]);
    const changed =
      states.length !== this.seen.length || states.some((state, index) => state !== this.seen[index]);
    this.seen = states;
    return changed;
  }

  // Attributes are gone while the service is off: a role once found stays.
  private findRoles(hass: Hass): void {
    const roles = this.roles;
    const presets = hass.states[this.status]?.attributes["presets"];
    for (const id of this.ids) {
      const state = hass.states[id];
      if (!state) continue;
      if (id.startsWith("notify.")) roles.notify ??= id;
      else if (id.startsWith("select.")) {
        const options = state.attributes["options"];
        if (Array.isArray(presets) && String(options) === String(presets)) roles.preset ??= id;
      } else {
        for (const [role, attribute] of Object.entries(BY_ATTRIBUTE)) {
          if (attribute in state.attributes) roles[role as keyof typeof BY_ATTRIBUTE] ??= id;
        }
      }
    }
  }
}

export type Phase = "missing" | "starting" | "offline" | "ready";

/** What the card shows. While the service is off, the lists are the last known ones. */
export interface Model {
  phase: Phase;
  status: string;
  since?: number | undefined;
  jobs: Job[];
  presets: string[];
  preset?: string | undefined;
  pauseReason?: string | undefined;
  pauseUntil?: number | undefined;
  storageLost: boolean;
  free?: number | undefined;
  more: number;
  media?: string | undefined;
}

export const NOTHING: Model = { phase: "missing", status: "", jobs: [], presets: [], storageLost: false, more: 0 };

function phaseOf(state: EntityState | undefined): Phase {
  if (!state) return "missing";
  if (state.state === "unavailable") return "offline";
  return state.state === "unknown" || !("jobs" in state.attributes) ? "starting" : "ready";
}

export function readModel(hass: Hass, roles: Roles, former: Model): Model {
  const state = hass.states[roles.status];
  const phase = phaseOf(state);
  const since = time(state?.last_changed);
  if (!state || phase !== "ready") {
    const still = former.jobs.map((job) => ({ ...job, speed: undefined, eta: undefined }));
    return { ...former, phase, since, jobs: still, free: undefined, storageLost: false };
  }
  const now = state.attributes;
  const list = (id: string | undefined, key: string): unknown[] => {
    const found = hass.states[id ?? ""]?.attributes[key];
    return Array.isArray(found) ? found : [];
  };
  const { status, failed, finished } = roles;
  const jobs = new Map<string, Job>();
  // `jobs` comes first: it is the newest.
  for (const raw of [...list(status, "jobs"), ...list(failed, "failed"), ...list(finished, "finished")]) {
    const job = readJob(raw);
    // What waits for a review has a list of its own.
    if (job && !jobs.has(job.id) && !(roles.reviews && job.status === "review")) jobs.set(job.id, job);
  }
  return {
    phase,
    since,
    status: state.state,
    jobs: [...jobs.values()],
    presets: list(status, "presets").filter((name) => typeof name === "string"),
    preset: text(hass.states[roles.preset ?? ""]?.state),
    pauseReason: text(now["pause_reason"]),
    pauseUntil: time(now["pause_until"]),
    storageLost: now["storage"] === "lost" || state.state === "storage_lost",
    free: number(now["disk_free"]),
    more: number(now["more"]) ?? 0,
    media: text(now["media"]),
  };
}

// The service sends a message where the guess is off by 3 points.
const GUESS_OFF = 5;

/** Guesses progress between two messages, by the service's own rule. */
export class DeadReckoning {
  private newest = 0;
  private offset = 0;
  private readonly shown = new Map<string, number>();

  /** Learn how far the browser's clock is ahead of the service's, from each fresh message. */
  observe(jobs: Job[], now: number): void {
    const newest = Math.max(0, ...jobs.map((job) => job.at ?? 0));
    if (newest <= this.newest) return;
    // The first message may be old; one from the future is not.
    if (this.newest || newest > now) this.offset = now - newest;
    this.newest = newest;
  }

  private elapsed(job: Job, now: number): number {
    return job.at === undefined ? 0 : Math.max(0, (now - this.offset - job.at) / 1000);
  }

  progress(job: Job, now: number): number | undefined {
    const { progress, eta } = job;
    if (progress === undefined || !ACTIVE.includes(job.status)) return progress;
    if (!eta) return Math.min(progress, 100);
    const guess = Math.min(Math.max(progress, 99), progress + ((100 - progress) * this.elapsed(job, now)) / eta);
    // A guess that was a little too high waits for the truth; the bar does not go back.
    const shown = this.shown.get(job.id) ?? 0;
    if (guess < shown && guess > shown - GUESS_OFF) return shown;
    this.shown.set(job.id, guess);
    return guess;
  }

  /** Return the seconds left. */
  left(job: Job, now: number): number | undefined {
    if (job.eta === undefined || !ACTIVE.includes(job.status)) return undefined;
    const left = job.eta - this.elapsed(job, now);
    return left > 0 ? left : undefined;
  }
}
