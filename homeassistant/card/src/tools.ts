/** What the second file, `mediarip-library.js`, shares with this one: one Lit, one look, one way to read. */
import { html, nothing } from "lit-html";
import { button } from "./button";
import { isObject, number, shown, text, time } from "./data";
import { renderRows } from "./element";
import { Words } from "./format";
import { icon } from "./icons";
import { joined, refusalLine } from "./row";

export const TOOLS = {
  Words, button, html, icon, isObject, joined, number, refusalLine, renderRows, shown, text, time,
  nothing: nothing as typeof nothing,
};
export type Tools = typeof TOOLS;
