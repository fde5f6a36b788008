/** A custom element that renders a Lit template, at most once for each batch of changes. */
import { render } from "lit-html";

// Lit's own base class costs 2.7 KB compressed; a card needs none of its properties and decorators.
export abstract class LiveElement extends HTMLElement {
  readonly root = this.attachShadow({ mode: "open" });
  /** Resolves once the changes so far are on the page. */
  updateComplete: Promise<void> = Promise.resolve();
  protected hasUpdated = false;
  private pending = false;

  constructor(css: string) {
    super();
    const style = document.createElement("style");
    style.textContent = css;
    this.root.append(style);
  }

  protected abstract template(): unknown;
  protected abstract beforeUpdate(): void;
  protected abstract afterUpdate(): void;

  requestUpdate(): void {
    if (this.pending || !this.isConnected) return;
    this.pending = true;
    this.updateComplete = Promise.resolve().then(() => {
      this.pending = false;
      this.beforeUpdate();
      render(this.template(), this.root);
      this.afterUpdate();
      this.hasUpdated = true;
    });
  }

  find<T extends HTMLElement>(selector: string): T | null {
    return this.root.querySelector<T>(selector);
  }
}

/** Render a list. A row keeps its element, and with it the focus, while others come and go. */
export function renderRows<T>(
  list: Element,
  rows: Map<string, T>,
  template: (row: T) => [css: string, content: unknown],
): void {
  const known = new Map<string | undefined, HTMLElement>();
  for (const item of [...list.children] as HTMLElement[]) {
    const key = item.dataset["job"] ?? "";
    if (rows.has(key)) known.set(key, item);
    else item.remove();
  }
  let next = list.firstElementChild;
  for (const [key, row] of rows) {
    const item = known.get(key) ?? document.createElement("li");
    if (!known.has(key)) item.dataset["job"] = key;
    if (item === next) next = next.nextElementSibling;
    else list.insertBefore(item, next);
    const [css, content] = template(row);
    if (item.className !== css) item.className = css;
    render(content, item);
  }
}
