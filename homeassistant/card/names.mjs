// The card's own names that the build shortens everywhere, also in Lit. A name belongs here if the card and Lit use it
// for nothing else: no part of the browser or of Home Assistant, no field that is read or sent by its name. What has
// such a name and comes from elsewhere stands in quotes in the sources: those stay as they are.
const OWN = `
  _hass act afterUpdate ask asking banner bannerTemplate beforeUpdate busy changed chosen clicked commands css
  dates dialog dragged dropping elapsed enabled expanded field fillLists findRoles focusIn focused formats
  finder found free growLists hasUpdated hero host jobs keepFocus kind known limit limits links libraryLoads libraryOpen librarySection
  load loadLibrary loaded loading
  mediaId missing model moment moving newest note notify numbers observer onScreen open order pasted
  pauseReason pauseUntil pending picking playOn playing preset presets queueButton readOnly reckoning refusal
  playable registry release remember requestUpdate reviewList roles root row scaled schedule searched seen send sending settle
  shortLimit shown shows sound statuses storageLost submitted take tell template text timeLocale timer toggleList
  update updateComplete view words
`
  .trim()
  .split(/\s+/);

for (const { prototype } of [Array, Date, Intl.NumberFormat, Map, Number, Object, Promise, RegExp, Set, String]) {
  const taken = OWN.filter((name) => name in prototype);
  if (taken.length) throw new Error(`names.mjs: JavaScript has ${taken}, too`);
}

export const OWN_NAMES = new RegExp(`^(${OWN.join("|")}|_\\$[AC].*|_\\$litType\\$)$`);
