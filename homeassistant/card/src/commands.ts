/** Sends commands through the service's notify entity: the one way open to every member of a household. */
import type { Entities, Hass, Roles } from "./data";

const ANSWER_WITHIN = 10_000;

/** Why a command had no effect. `code`: an error code of the service, or one of the card's own. */
export interface Refusal {
  code: string;
  message: string;
}

export type Outcome = Refusal | null;

interface Waiting {
  resolve(outcome: Outcome): void;
  timer: number;
}

function requestId(): string {
  // Not `randomUUID`: it needs https. Home Assistant reads "123" as a number: begin with a letter.
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return "card" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function refusalOf(error: unknown): Refusal {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const unauthorized = code === "unauthorized" || message === "Unauthorized";
  return { code: unauthorized ? "read_only" : "call_failed", message: String(message ?? error ?? "") };
}

export class Commands {
  private waiting = new Map<string, Waiting>();

  /** Send a command; return null once the service has accepted it. Never throws. */
  async send(hass: Hass, entities: Entities, command: object): Promise<Outcome> {
    const { notify } = entities.roles;
    if (!notify) return { code: "no_door", message: "" };
    const named = { request_id: requestId(), ...command };
    const { request_id: id } = named;
    const message = JSON.stringify(named);
    const outcome = new Promise<Outcome>((resolve) => {
      const timer = window.setTimeout(() => {
        // The sensor with the replies shows up with its first one, unless someone has disabled it.
        const listens = entities.roles.response !== undefined;
        this.settle(id, listens ? { code: "no_answer", message: "" } : null);
      }, ANSWER_WITHIN);
      this.waiting.set(id, { resolve, timer });
    });
    try {
      await hass.callService("notify", "send_message", { message }, { entity_id: notify }, false);
    } catch (error) {
      this.settle(id, refusalOf(error));
    }
    return outcome;
  }

  /** Take the replies that the response sensor holds. */
  observe(hass: Hass, roles: Roles): void {
    if (!this.waiting.size) return;
    const recent = hass.states[roles.response ?? ""]?.attributes["recent"];
    for (const reply of Array.isArray(recent) ? recent : []) {
      const { request_id: id, ok, error_code: code, error } = reply as Record<string, unknown>;
      if (typeof id === "string" && this.waiting.has(id)) {
        this.settle(id, ok === true ? null : { code: String(code ?? ""), message: String(error ?? "") });
      }
    }
  }

  private settle(id: string, outcome: Outcome): void {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.resolve(outcome);
  }
}
