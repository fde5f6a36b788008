// The least of Home Assistant that a card stands in: `ha-card`, and a `hass` that records.

class HaCard extends HTMLElement {
  static observedAttributes = ["header"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).innerHTML = `<style>
      :host { display: block; position: relative; box-sizing: border-box; border: 1px solid var(--divider-color);
        border-radius: 12px; background: var(--ha-card-background, var(--card-background-color, white));
        color: var(--primary-text-color); }
    </style><slot></slot>`;
  }
}
customElements.define("ha-card", HaCard);

const bench = {
  calls: [], // {domain, service, data, target}
  messages: [], // of the WebSocket
  errors: [],
  reply: { ok: true }, // of the service to a command; null: none
  titles: [], // what the command `titles` finds
  refusal: null, // what callService rejects with
  media: "/media/clip.mp4",
  cards: [],
  hass: null,

  /** Make a home: `states`, `entities`, `devices`, `language`, `dark`, `rtl`, `admin`, `response`. */
  start(home) {
    document.documentElement.lang = home.language;
    document.documentElement.dir = home.rtl ? "rtl" : "ltr";
    this.theme(home.dark);
    this.response = home.response;
    this.hass = {
      states: home.states,
      entities: home.entities,
      devices: home.devices,
      areas: {},
      floors: {},
      language: home.language,
      selectedLanguage: home.language,
      locale: {
        language: home.language, number_format: "language", time_format: "language",
        date_format: "language", first_weekday: "language", time_zone: "local",
      },
      config: { time_zone: "UTC", version: "2026.11.0", state: "RUNNING", components: ["mqtt"] },
      user: { id: "1", name: "Test", is_admin: home.admin, is_owner: home.admin },
      themes: { darkMode: home.dark, theme: "default", themes: {} },
      connected: true,
      localize: (key) => key,
      formatEntityState: (state) => state.state,
      formatEntityName: (state) => state.attributes.friendly_name,
      hassUrl: (path = "") => new URL(path, location.href).href,
      callService: (...given) => this.callService(...given),
      callWS: (message) => this.callWS(message),
      callApi: () => Promise.reject({ error: "Unauthorized" }),
      fetchWithAuth: (path) => fetch(path),
      connection: {
        subscribeMessage: () => Promise.reject({ code: "unauthorized", message: "Unauthorized" }),
        subscribeEvents: () => Promise.reject({ code: "unauthorized", message: "Unauthorized" }),
        sendMessagePromise: (message) => this.callWS(message),
        addEventListener: () => undefined,
        removeEventListener: () => undefined,
      },
    };
  },

  theme(dark, older = false) {
    document.documentElement.classList.toggle("dark", dark);
    document.documentElement.classList.toggle("older", older);
    if (this.hass) this.give({ themes: { ...this.hass.themes, darkMode: dark } });
  },

  async add(config) {
    const card = document.createElement("mediarip-card");
    card.setConfig(config);
    card.hass = this.hass;
    document.querySelector("main").append(card);
    this.cards.push(card);
    await this.painted();
  },

  /** As Home Assistant does it: a new object, in which what has not changed is the same. */
  give(change) {
    this.hass = { ...this.hass, ...change };
    for (const card of this.cards) card.hass = this.hass;
  },

  change(states) {
    this.give({ states: { ...this.hass.states, ...states } });
  },

  async callService(domain, service, data = {}, target = undefined) {
    this.calls.push({ domain, service, data, target: target ?? {} });
    if (this.refusal) throw this.refusal;
    if (domain === "notify" && this.reply) this.answer(data.message);
    return { context: { id: "1" } };
  },

  /** Answer a command as the sensor `response` does. */
  answer(message) {
    const { request_id, command } = JSON.parse(message);
    const state = this.hass.states[this.response];
    const reply = { job_id: "01990000-0000-7000-8000-00000000ffff", error_code: null, error: "", ...this.reply };
    const recent = [...(state.attributes.recent ?? []), { request_id, ...reply }].slice(-20);
    const found = command === "titles" && reply.ok ? { titles: this.titles } : {};
    const attributes = { friendly_name: state.attributes.friendly_name, request_id, ...found, recent };
    const next = { ...state, state: reply.ok ? "ok" : reply.error_code, attributes };
    setTimeout(() => this.change({ [this.response]: next }), 20);
  },

  async callWS(message) {
    this.messages.push(message);
    if (message.type === "media_source/resolve_media" && this.media) {
      return { url: this.media, mime_type: "video/mp4" };
    }
    throw { code: "unauthorized", message: "Unauthorized" };
  },
};
window.bench = bench;
window.addEventListener("error", (event) => bench.errors.push(String(event.message)));
window.addEventListener("unhandledrejection", (event) => bench.errors.push(String(event.reason?.message ?? event.reason)));

/** Every element, also in shadow roots. */
bench.all = function* (root = document.querySelector("main")) {
  for (const element of root.querySelectorAll("*")) {
    yield element;
    if (element.shadowRoot) yield* this.all(element.shadowRoot);
  }
};

const parent = (node) => node.parentElement ?? node.getRootNode().host ?? null;
bench.closest = (node, selector) => {
  for (let one = node instanceof Element ? node : node.parentElement ?? node.host; one; one = parent(one)) {
    if (one.matches(selector)) return one;
  }
  return null;
};
const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
const path = (element) => {
  const names = [];
  for (let one = element; one && one.localName !== "main"; one = parent(one)) {
    names.unshift(one.localName + (one.className && typeof one.className === "string" ? "." + one.className.replaceAll(" ", ".") : ""));
  }
  return names.slice(-4).join(" > ");
};
const words = (element) =>
  [...element.childNodes].filter((one) => one.nodeType === Node.TEXT_NODE).map((one) => one.data).join("").trim();
const hidden = (element) => {
  const box = element.getBoundingClientRect(); // visually hidden texts, for screen readers
  return box.width <= 1 || box.height <= 1 || getComputedStyle(element).clipPath === "inset(50%)";
};

/** Elements that reach beyond the window or their card. */
bench.overflows = function () {
  const found = [];
  if (document.scrollingElement.scrollWidth > innerWidth) found.push(`the page: ${document.scrollingElement.scrollWidth} px`);
  for (const card of this.cards) {
    const room = card.getBoundingClientRect();
    for (const element of this.all(card.shadowRoot)) {
      if (!shown(element) || hidden(element) || element.closest("dialog") || element.closest("svg")) continue;
      const box = element.getBoundingClientRect();
      if (clipped(element, card)) continue;
      if (box.left < room.left - 1 || box.right > room.right + 1) found.push(`${path(element)}: ${box.left}..${box.right}`);
    }
  }
  return found;
};
// An ancestor that hides what overflows; `cut` judges texts in it.
const clipped = (element, card) => {
  for (let one = parent(element); one && one !== card; one = parent(one)) {
    if (getComputedStyle(one).overflowX !== "visible") return true;
  }
  return false;
};

/** Texts that are cut, without a title, a scroll bar or a button that opens the row. */
bench.cut = function () {
  const found = [];
  for (const card of this.cards) {
    for (const element of this.all(card.shadowRoot)) {
      if (!words(element) || !shown(element) || hidden(element) || element.localName === "option") continue;
      for (let one = element; one && one !== card; one = parent(one)) {
        const style = getComputedStyle(one);
        const hides = (overflow) => overflow === "hidden" || overflow === "clip";
        const inner = one.getBoundingClientRect();
        const text = document.createRange();
        text.selectNodeContents(element);
        const outer = text.getBoundingClientRect();
        const cutOff =
          (hides(style.overflowX) && (outer.right > inner.right + 1 || outer.left < inner.left - 1)) ||
          (hides(style.overflowY) && (outer.bottom > inner.bottom + 2 || outer.top < inner.top - 2));
        if (!cutOff || style.display === "inline") continue;
        const row = this.closest(one, "li");
        const opens = row && [row, ...this.all(row)].some((each) => each.hasAttribute("aria-expanded") || each.localName === "details");
        if (!opens && !this.closest(one, "[title]")) found.push(`${path(one)}: ${words(element).slice(0, 60)}`);
        break;
      }
    }
  }
  return [...new Set(found)];
};

/** Observe which rows (list items) change; `touched()` returns how many since the last call. */
bench.watch = function () {
  const rows = new Set();
  let others = 0;
  const seen = new Set();
  const observer = new MutationObserver((records) => note(records));
  const note = (records) => {
    for (const record of records) {
      const row = bench.closest(record.target, "li");
      if (row) rows.add(row);
      else if (record.type === "childList") others += 1;
    }
  };
  const observe = (root) => {
    if (seen.has(root)) return;
    seen.add(root);
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    for (const element of root.querySelectorAll("*")) if (element.shadowRoot) observe(element.shadowRoot);
  };
  for (const card of this.cards) observe(card.shadowRoot);
  this.touched = () => {
    note(observer.takeRecords());
    const result = { rows: rows.size, lists: others };
    rows.clear();
    others = 0;
    return result;
  };
};

/** Resolve after the next picture is on the screen. */
bench.painted = () =>
  new Promise((resolve) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(performance.now());
    port2.postMessage(null);
  }));
