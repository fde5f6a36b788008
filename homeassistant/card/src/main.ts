/** Registers the card, its entry in Home Assistant's card picker, and the dashboard. */
// First: apart from the code, the styles and texts compress best.
import "contents";
import { MediaripCard } from "./card";
import { suggestCard } from "./services";
import "./strategy";

const TYPE = "mediarip-card";

interface CardWindow {
  customCards?: object[];
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
    getEntitySuggestion: suggestCard,
  });
}
