/** The dashboard strategy `custom:mediarip`: one view for each service. */
import type { Hass } from "./data";
import { Words } from "./format";
import { findServices } from "./services";

interface Device {
  name?: string | null;
  name_by_user?: string | null;
}

type HomeAssistant = Hass & { devices?: Record<string, Device | undefined> };
type Card = Record<string, unknown>;

// By domain and device class, not by name: entities may be renamed.
const TILES: [domain: string, deviceClass?: string][] = [
  ["switch"],
  ["select"],
  ["sensor", "data_size"],
  ["binary_sensor", "problem"],
  ["update"],
];
const GRAPHS = ["data_rate", "data_size"];

/** Return the entities of a service's device, its hidden ones left out. */
function entitiesOf(hass: HomeAssistant, status: string): string[] {
  const all: Record<string, { device_id?: string | null; hidden?: boolean } | undefined> = hass.entities ?? {};
  const device = all[status]?.device_id;
  return Object.keys(all).filter((id) => device && all[id]?.device_id === device && !all[id]?.hidden && hass.states[id]);
}

function select(hass: Hass, ids: string[], domain: string, deviceClass?: string): string[] {
  return ids.filter(
    (id) =>
      id.startsWith(`${domain}.`) && (!deviceClass || hass.states[id]?.attributes["device_class"] === deviceClass),
  );
}

/** Return an entity with its name, without its device's name: that is said already. */
function named(hass: Hass, entity: string, device: string): Card {
  const name = String(hass.states[entity]?.attributes["friendly_name"] ?? entity);
  return { entity, name: name.startsWith(`${device} `) ? name.slice(device.length + 1) : name };
}

function view(hass: HomeAssistant, status: string, alone: boolean): Card {
  const words = new Words(hass);
  const ids = entitiesOf(hass, status);
  const about = hass.devices?.[hass.entities?.[status]?.device_id ?? ""];
  const device = about?.name_by_user ?? about?.name ?? status;
  const grid_options = { columns: 12 };
  const tiles = TILES.flatMap(([domain, deviceClass]) => select(hass, ids, domain, deviceClass)).map((entity): Card => {
    const list = { features: [{ type: "select-options" }], features_position: "inline" };
    return { type: "tile", ...named(hass, entity, device), ...(entity.startsWith("select.") ? list : {}), grid_options };
  });
  const graphs = GRAPHS.flatMap((deviceClass) => select(hass, ids, "sensor", deviceClass)).map((entity): Card => {
    return { type: "history-graph", entities: [named(hass, entity, device)], hours_to_show: 24, grid_options };
  });
  const column = (heading: string, icon: string, cards: Card[]): Card[] =>
    cards.length ? [{ type: "grid", cards: [{ type: "heading", heading, icon }, ...cards] }] : [];
  const card = { type: "custom:mediarip-card", entity: status, grid_options: { columns: "full" } };
  return {
    type: "sections",
    title: alone ? words.text("title") : device,
    path: status.replace("sensor.", "").replaceAll("_", "-"),
    max_columns: 4,
    sections: [
      { type: "grid", column_span: 2, cards: [card] },
      ...column(words.text("service"), "mdi:download-network", tiles),
      ...column(words.text("history"), "mdi:chart-line", graphs),
    ],
  };
}

class DownloadsStrategy extends HTMLElement {
  // A service that appears brings entities; nothing else changes the dashboard.
  static registryDependencies = ["entities", "devices"];
  static noEditor = true;

  static async generate(_config: unknown, hass: HomeAssistant) {
    const services = findServices(hass);
    if (services.length) return { views: services.map((one) => view(hass, one, services.length === 1)) };
    // The card says how to connect the service.
    const cards = [{ type: "custom:mediarip-card", grid_options: { columns: "full" } }];
    const title = new Words(hass).text("title");
    return { views: [{ type: "sections", title, sections: [{ type: "grid", cards }] }] };
  }

  static getCreateSuggestions(hass: Hass) {
    return { title: new Words(hass).text("title"), icon: "mdi:download" };
  }
}

interface StrategyWindow {
  customStrategies?: { type: string; strategyType: string; name: string; description: string }[];
}

const TAG = "ll-strategy-dashboard-mediarip";
// The resource may be loaded twice, by two URLs.
if (!customElements.get(TAG)) {
  customElements.define(TAG, DownloadsStrategy);
  // Home Assistant 2026.5 and later list it in "Add dashboard".
  const strategies = ((window as StrategyWindow).customStrategies ??= []);
  strategies.push({
    type: "mediarip",
    strategyType: "dashboard",
    name: "Downloads",
    description: "Downloads of mediarip-mqtt: add, follow and play them.",
  });
}
