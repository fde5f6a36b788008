/** What this file shares with the card's first one, once `take` was called. */
import type { nothing as litNothing } from "lit-html";
import type { Tools } from "../tools";

export let Words: Tools["Words"];
export let button: Tools["button"];
export let html: Tools["html"];
export let icon: Tools["icon"];
export let isObject: Tools["isObject"];
export let joined: Tools["joined"];
export let nothing: typeof litNothing;
export let number: Tools["number"];
export let refusalLine: Tools["refusalLine"];
export let renderRows: Tools["renderRows"];
export let shown: Tools["shown"];
export let text: Tools["text"];
export let time: Tools["time"];

export function setTools(tools: Tools): void {
  ({
    Words, button, html, icon, isObject, joined, nothing, number, refusalLine, renderRows, shown, text, time,
  } = tools);
}
