/** The part of Home Assistant's `hass` object that the card uses. */
export interface EntityState {
  entity_id: string;
  state: string;
  attributes: Record<string, unknown>;
  last_changed: string;
}

export interface Hass {
  states: Record<string, EntityState>;
}
