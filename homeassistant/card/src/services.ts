/** Which entities are status sensors of the service. */
import type { EntityState, Hass } from "./data";

/** Whether a sensor is a service's status. Its options stay when the service is off; other attributes go. */
function isService(state: EntityState | undefined): state is EntityState {
  const options = state?.entity_id.startsWith("sensor.") ? state.attributes["options"] : undefined;
  return Array.isArray(options) && options.includes("storage_lost") && options.includes("downloading");
}

/** Return the status sensors of all services. */
export function findServices(hass: Hass): string[] {
  return Object.values(hass.states)
    .filter(isService)
    .map((state) => state.entity_id)
    .sort();
}

/** Offer the card where someone picks a service's status sensor (Home Assistant 2026.6). */
export function suggestCard(hass: Hass, entity: string) {
  return isService(hass.states[entity]) ? { config: { type: "custom:mediarip-card", entity } } : null;
}
