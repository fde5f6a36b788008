/** The card's options, and the form in which Home Assistant edits them. */
import { languageOf } from "./format";

/** What a user sets in the dashboard's YAML or in Home Assistant's form. */
export interface CardConfig {
  type: string;
  /** The service's status sensor; without it the card looks for one. */
  entity?: string;
  title?: string;
  /** Which sections are shown: running, waiting, failed, finished. Default: all. */
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

const en = {
  entity: "Service",
  entity_help: "The status sensor of mediarip-mqtt. Without it, the card takes the first service that it finds.",
  title: "Title",
  more: "Options",
  sections: "Sections",
  running: "Running",
  waiting: "Waiting",
  failed: "Failed",
  finished_section: "Finished",
  finished: "Finished downloads until “Show all”",
  add: "Field to add downloads",
  thumbnails: "Thumbnails",
  confirm: "Ask before deleting a file",
  players: "Media players",
  players_help: "Offered by “Play on”. None chosen: all that can play media.",
  media: "Media source",
  media_help: "Only if the service does not tell it, such as media-source://media_source/local/downloads.",
};

// Checked by the compiler: each language has the keys of English.
const TEXTS: Record<string, typeof en> = {
  en,
  de: {
    entity: "Dienst",
    entity_help: "Der Statussensor von mediarip-mqtt. Ohne ihn nimmt die Karte den ersten Dienst, den sie findet.",
    title: "Titel",
    more: "Optionen",
    sections: "Abschnitte",
    running: "Laufend",
    waiting: "Wartend",
    failed: "Fehlgeschlagen",
    finished_section: "Fertig",
    finished: "Fertige Downloads bis „Alle anzeigen“",
    add: "Feld zum Hinzufügen",
    thumbnails: "Vorschaubilder",
    confirm: "Vor dem Löschen einer Datei fragen",
    players: "Mediaplayer",
    players_help: "Für „Abspielen auf“. Ohne Auswahl: alle, die Medien abspielen können.",
    media: "Medienquelle",
    media_help: "Nur wenn der Dienst sie nicht nennt, etwa media-source://media_source/local/downloads.",
  },
  fr: {
    entity: "Service",
    entity_help: "Le capteur d'état de mediarip-mqtt. Sans lui, la carte prend le premier service trouvé.",
    title: "Titre",
    more: "Options",
    sections: "Sections",
    running: "En cours",
    waiting: "En attente",
    failed: "En échec",
    finished_section: "Terminés",
    finished: "Téléchargements terminés avant « Tout afficher »",
    add: "Champ d'ajout",
    thumbnails: "Vignettes",
    confirm: "Demander avant de supprimer un fichier",
    players: "Lecteurs multimédias",
    players_help: "Proposés par « Lire sur ». Aucun choisi : tous ceux qui peuvent lire des médias.",
    media: "Source multimédia",
    media_help: "Seulement si le service ne l'indique pas, par exemple media-source://media_source/local/downloads.",
  },
};

type TextKey = keyof typeof en;

interface FormField {
  name: string;
}

/** Return the texts in the user's language: a form is made before there is a `hass`. */
function texts(): typeof en {
  const app = document.querySelector<HTMLElement & { hass?: { language?: string } }>("home-assistant");
  return TEXTS[languageOf(app?.hass?.language)] ?? en;
}

/** Describe the form, as Home Assistant's `ha-form` takes it. */
export function configForm() {
  const words = texts();
  const label = (key: TextKey) => words[key];
  const sections = [
    { value: "running", label: words.running },
    { value: "waiting", label: words.waiting },
    { value: "failed", label: words.failed },
    { value: "finished", label: words.finished_section },
  ];
  return {
    schema: [
      {
        name: "entity",
        selector: {
          entity: { filter: [{ integration: "mqtt", domain: "sensor", device_class: "enum" }] },
        },
      },
      { name: "title", selector: { text: {} } },
      {
        type: "expandable",
        name: "more",
        title: words.more,
        flatten: true,
        schema: [
          { name: "sections", selector: { select: { multiple: true, mode: "list", options: sections } } },
          { name: "finished", selector: { number: { min: 0, max: 200, mode: "box" } } },
          { name: "add", default: true, selector: { boolean: {} } },
          { name: "thumbnails", default: true, selector: { boolean: {} } },
          { name: "confirm", default: true, selector: { boolean: {} } },
          { name: "players", selector: { entity: { multiple: true, filter: [{ domain: "media_player" }] } } },
          { name: "media", selector: { text: {} } },
        ],
      },
    ],
    computeLabel: (field: FormField) => label(field.name as TextKey),
    computeHelper: (field: FormField) => words[`${field.name}_help` as TextKey] as string | undefined,
  };
}
