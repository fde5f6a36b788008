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

function tile(entity: string): Card {
  const features = entity.startsWith("select.") ? { features: [{ type: "select-options" }], features_position: "inline" } : {};
  return { type: "tile", entity, ...features, grid_options: { columns: 12 } };
}

function view(hass: HomeAssistant, status: string, alone: boolean): Card {
  const words = new Words(hass);
  const ids = entitiesOf(hass, status);
  const device = hass.devices?.[hass.entities?.[status]?.device_id ?? ""];
  const name = device?.name_by_user ?? device?.name ?? status;
  const tiles = TILES.flatMap(([domain, deviceClass]) => select(hass, ids, domain, deviceClass));
  const graphs = GRAPHS.flatMap((deviceClass) => select(hass, ids, "sensor", deviceClass));
  const side: Card[] = [];
  if (tiles.length) side.push({ type: "heading", heading: words.text("service"), icon: "mdi:download-network" }, ...tiles.map(tile));
  if (graphs.length) {
    side.push(
      { type: "heading", heading: words.text("history"), icon: "mdi:chart-line" },
      { type: "history-graph", entities: graphs, hours_to_show: 24, grid_options: { columns: 12 } },
    );
  }
  const card = { type: "custom:mediarip-card", entity: status, grid_options: { columns: "full" } };
  const sections: Card[] = [{ type: "grid", column_span: 2, cards: [card] }];
  if (side.length) sections.push({ type: "grid", cards: side });
  return {
    type: "sections",
    title: alone ? words.text("title") : name,
    path: status.replace("sensor.", "").replaceAll("_", "-"),
    icon: "mdi:download",
    max_columns: 3,
    sections,
  };
}

class DownloadsStrategy extends HTMLElement {
  // A service that appears brings entities; nothing else changes the dashboard.
  static registryDependencies = ["entities", "devices"];
  static noEditor = true;

  static generate(_config: unknown, hass: HomeAssistant) {
    const services = findServices(hass);
    if (services.length) return Promise.resolve({ views: services.map((one) => view(hass, one, services.length === 1)) });
    // The card says how to connect the service.
    const cards = [{ type: "custom:mediarip-card", grid_options: { columns: "full" } }];
    const title = new Words(hass).text("title");
    return Promise.resolve({ views: [{ type: "sections", title, sections: [{ type: "grid", cards }] }] });
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
