/** The card's options, and the form in which Home Assistant edits them. */
import type { Hass } from "./data";
import { Words, type TextKey } from "./format";

/** What a user sets in the dashboard's YAML or in Home Assistant's form. */
export interface CardConfig {
  type: string;
  /** The service's status sensor; without it the card looks for one. */
  entity?: string;
  title?: string;
  /** Which sections are shown: review, running, waiting, failed, finished, library. Default: all. */
  sections?: string[];
  /** How many finished downloads are shown until "Show all". Default: 5. */
  finished?: number;
  /** Whether there is a field to add downloads. Default: true. */
  add?: boolean;
  thumbnails?: boolean;
  /** Whether deleting a file asks first. Default: true. */
  confirm?: boolean;
  /** The media players to offer. Default: all that can play media. */
  players?: string[];
  /** The media source of the storage root, where the service does not tell it. */
  media?: string;
}

interface FormField {
  name: string;
}

const LABELS: Record<string, TextKey> = {
  entity: "service",
  title: "heading",
  finished: "shown_finished",
  add: "shown_field",
};
const HELP: Record<string, TextKey> = { entity: "service_help", players: "players_help", media: "media_help" };
const SECTIONS = ["review", "running", "waiting", "failed", "finished", "library"] as const;

/** Describe the form, as Home Assistant's `ha-form` takes it. */
export function configForm() {
  // A form is made before there is a `hass`.
  const app = document.querySelector<HTMLElement & { hass?: Hass }>("home-assistant");
  const words = new Words(app?.hass ?? ({} as Hass));
  const sections = SECTIONS.map((value) => ({ value, label: words.text(value) }));
  const boolean = (name: string) => ({ name, default: true, selector: { boolean: {} } });
  return {
    schema: [
      {
        name: "entity",
        selector: {
          entity: { filter: [{ integration: "mqtt", domain: "sensor", device_class: "enum" }] },
        },
      },
      { name: "title", selector: { "text": {} } },
      {
        type: "expandable",
        name: "more",
        title: words.text("options"),
        flatten: true,
        schema: [
          { name: "sections", selector: { select: { multiple: true, mode: "list", options: sections } } },
          { name: "finished", default: 5, selector: { "number": { min: 0, max: 200, mode: "box" } } },
          boolean("add"),
          boolean("thumbnails"),
          boolean("confirm"),
          { name: "players", selector: { entity: { multiple: true, filter: [{ domain: "media_player" }] } } },
          { name: "media", selector: { "text": {} } },
        ],
      },
    ],
    computeLabel: ({ name }: FormField) => words.text(LABELS[name] ?? (name as TextKey)),
    computeHelper: ({ name }: FormField) => {
      const help = HELP[name];
      return help && words.text(help);
    },
  };
}
