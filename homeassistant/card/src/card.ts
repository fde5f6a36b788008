import { LitElement, html } from "lit";
import type { Hass } from "./data";
import { configForm, type CardConfig } from "./editor";
import "./strategy";

const TYPE = "mediarip-card";

export class MediaripCard extends LitElement {
  static override properties = { hass: { attribute: false }, config: { state: true } };

  declare hass?: Hass;
  declare config?: CardConfig;

  static getConfigForm() {
    return configForm();
  }

  static getStubConfig(hass: Hass): Partial<CardConfig> {
    const found = Object.values(hass.states).find((state) => Array.isArray(state.attributes["presets"]));
    return found ? { entity: found.entity_id } : {};
  }

  setConfig(config: CardConfig): void {
    this.config = config;
  }

  getCardSize(): number {
    return 8;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, min_rows: 3 };
  }

  override render() {
    return html`<ha-card><h2>${this.config?.title ?? "Downloads"}</h2></ha-card>`;
  }
}

interface CardWindow {
  customCards?: { type: string; name: string; description: string; preview: boolean }[];
}

// The resource may be loaded twice, by two URLs.
if (!customElements.get(TYPE)) {
  customElements.define(TYPE, MediaripCard);
  const cards = ((window as CardWindow).customCards ??= []);
  cards.push({
    type: TYPE,
    name: "Downloads (mediarip-mqtt)",
    description: "Add, follow and play downloads.",
    preview: true,
  });
}
