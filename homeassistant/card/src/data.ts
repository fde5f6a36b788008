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

export interface Job {
  id: string;
  status: string;
  title: string;
  site: string;
  kind: string;
  phase?: string;
  progress?: number;
  speed?: number;
  eta?: number;
  at?: number;
  size?: number;
  tile?: number;
  filename?: string;
  duration?: number;
  done?: number;
  total?: number;
  priority?: string;
  error_code?: string;
  error?: string;
  next_retry_at?: number;
  completed_at?: number;
  category?: string;
  keep?: boolean;
}

export const ACTIVE = ["extracting", "downloading", "processing"];

const KNOWN = [...ACTIVE, "queued", "paused", "retrying", "review", "completed", "failed", "cancelled"];

type Raw = Record<string, unknown>;

const isObject = (value: unknown): value is Raw => typeof value === "object" && value !== null;
const text = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() ? value : undefined;
// Bidirectional overrides and control characters would let a title disguise the text around it.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;
export const visible = (value: string): string => value.replace(HIDDEN, " ").trim();
const shown = (value: unknown): string | undefined => text(visible(text(value) ?? ""));
const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
const time = (value: unknown): number | undefined => {
  const parsed = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
};

function readJob(raw: unknown): Job | undefined {
  if (!isObject(raw)) return undefined;
  const id = text(raw["id"]);
  const status = text(raw["status"]);
  if (!id || !status || !KNOWN.includes(status)) return undefined;
  const items = isObject(raw["items"]) ? raw["items"] : {};
  const job: Partial<Job> = {
    id,
    status,
    title: shown(raw["title"]) ?? "",
    site: shown(raw["site"]) ?? "",
    kind: text(raw["kind"]) ?? "video",
  };
  const known: Partial<Record<keyof Job, unknown>> = {
    phase: text(raw["phase"]),
    progress: number(raw["progress"]),
    speed: number(raw["speed"]),
    eta: number(raw["eta"]),
    at: time(raw["at"]),
    size: number(raw["size"]),
    tile: number(raw["tile"]),
    filename: text(raw["filename"]),
    duration: number(raw["duration"]),
    done: number(items["completed"]),
    total: number(items["total"]),
    priority: text(raw["priority"]),
    error_code: text(raw["error_code"]),
    error: shown(raw["error"]),
    next_retry_at: time(raw["next_retry_at"]),
    completed_at: time(raw["completed_at"]),
    category: shown(raw["category"]),
    keep: raw["keep"] === true || undefined,
  };
  for (const [key, value] of Object.entries(known)) {
    if (value !== undefined) Object.assign(job, { [key]: value });
  }
  return job as Job;
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
}

const BY_ATTRIBUTE = { response: "recent", finished: "finished", failed: "failed", tiles: "tiles" } as const;

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
    if (roles.notify && roles.response && roles.finished && roles.failed && roles.tiles && roles.preset) return;
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

/** Return the status sensors of all services that Home Assistant knows. */
export function findServices(hass: Hass): string[] {
  return Object.values(hass.states)
    .filter((state) => Array.isArray(state?.attributes["presets"]) && Array.isArray(state.attributes["jobs"]))
    .map((state) => state?.entity_id ?? "");
}

export type Phase = "missing" | "starting" | "offline" | "ready";

/** What the card shows. While the service is off, the lists are the last known ones. */
export interface Model {
  phase: Phase;
  status: string;
  since?: number;
  jobs: Job[];
  presets: string[];
  preset?: string;
  pauseReason?: string;
  pauseUntil?: number;
  storageLost: boolean;
  free?: number;
  total?: number;
  more: number;
  media?: string;
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
    const model: Model = { ...former, phase, storageLost: false };
    delete model.pauseReason;
    if (since !== undefined) model.since = since;
    return model;
  }
  const jobs = new Map<string, Job>();
  const lists = [
    state.attributes["jobs"],
    hass.states[roles.failed ?? ""]?.attributes["failed"],
    hass.states[roles.finished ?? ""]?.attributes["finished"],
  ];
  for (const raw of lists.flatMap((list): unknown[] => (Array.isArray(list) ? list : []))) {
    const job = readJob(raw);
    // `jobs` comes first: it is the newest.
    if (job && !jobs.has(job.id)) jobs.set(job.id, job);
  }
  const presets = state.attributes["presets"];
  const optional = {
    preset: text(hass.states[roles.preset ?? ""]?.state),
    pauseReason: text(state.attributes["pause_reason"]),
    pauseUntil: time(state.attributes["pause_until"]),
    free: number(state.attributes["disk_free"]),
    total: number(state.attributes["disk_total"]),
    media: text(state.attributes["media"]),
    since,
  };
  const model: Model = {
    phase,
    status: state.state,
    jobs: [...jobs.values()],
    presets: Array.isArray(presets) ? presets.filter((name): name is string => typeof name === "string") : [],
    storageLost: state.attributes["storage"] === "lost" || state.state === "storage_lost",
    more: number(state.attributes["more"]) ?? 0,
  };
  for (const [key, value] of Object.entries(optional)) {
    if (value !== undefined) Object.assign(model, { [key]: value });
  }
  return model;
}

/** Guesses progress between two messages, by the service's own rule. */
export class DeadReckoning {
  private newest = 0;
  private offset = 0;

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
    return Math.min(Math.max(progress, 99), progress + ((100 - progress) * this.elapsed(job, now)) / eta);
  }

  /** Return the seconds left. */
  left(job: Job, now: number): number | undefined {
    if (job.eta === undefined || !ACTIVE.includes(job.status)) return undefined;
    const left = job.eta - this.elapsed(job, now);
    return left > 0 ? left : undefined;
  }
}
