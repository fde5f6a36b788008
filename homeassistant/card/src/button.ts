/** One template for all buttons. */
import { html, nothing, type TemplateResult } from "lit-html";
import { icon, type IconName } from "./icons";

export interface ButtonOptions {
  css?: string;
  icon?: IconName;
  /** The name where the label alone does not say what the button is about. */
  name?: string;
  disabled?: boolean | undefined;
  /** Does nothing for now, but keeps the focus. */
  busy?: boolean | undefined;
  expanded?: boolean;
  type?: "submit";
}

/** Return a button with a word; `round`: only with an icon, the word as its tooltip. */
export function button(label: string, act: (() => void) | null, options: ButtonOptions = {}): TemplateResult {
  const { css = "", name, disabled = false, busy = false, expanded, type = "button" } = options;
  return html`<button
    type=${type}
    class=${css}
    title=${css.startsWith("round") ? label : nothing}
    aria-label=${name ?? nothing}
    aria-expanded=${expanded ?? nothing}
    aria-disabled=${busy || nothing}
    ?disabled=${disabled}
    @click=${busy ? null : act}
  >
    ${options.icon ? icon(options.icon) : nothing}${css.startsWith("round") ? nothing : html`<span>${label}</span>`}
  </button>`;
}
