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

export function configForm() {
  return {
    schema: [
      {
        name: "entity",
        selector: {
          entity: { filter: [{ integration: "mqtt", domain: "sensor", device_class: "enum" }] },
        },
      },
      { name: "title", selector: { text: {} } },
    ],
  };
}
