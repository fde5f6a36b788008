// The card's own names that the build shortens everywhere, also in Lit. A name belongs here if nothing else has it:
// no part of the browser or of Home Assistant, no field of a job, no text that the code looks up by its name.
const OWN = `
  _hass act afterUpdate asking banner bannerTemplate beforeUpdate chosen clicked commands css dates dragged dropping
  elapsed expanded fillLists findRoles focusIn focused formats growLists hasUpdated hero jobs keepFocus known limits
  mediaId model moment newest note numbers onScreen pasted pauseReason pauseUntil picking playOn presets
  queueButton readOnly reckoning refusal registry remember requestUpdate roles scaled schedule searched seen settle
  shortLimit shown sound statuses storageLost submitted tell timeLocale timer toggleList updateComplete
  words send view limit host open enabled links loading changed root sending playing dialog busy field text loaded observer pending template preset notify ask free missing order update kind row found take fill load release moving
`;
export const OWN_NAMES = new RegExp(`^(${OWN.trim().split(/\s+/).join("|")}|_\\$[AC].*|_\\$litType\\$)$`);
