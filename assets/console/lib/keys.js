// Keys. Single ones can be turned off, and never act while somebody types or a dialog is open.
import { signal, useEffect } from "../vendor/preact.js";

export const singleKeys = signal(localStorage.singleKeys !== "off");
/** @param {boolean} on */
export function useSingleKeys(on) {
  singleKeys.value = on;
  if (on) delete localStorage.singleKeys; else localStorage.singleKeys = "off";
}

/** @typedef {Record<string, () => void>} Keys Names such as `j`, `g o`, `Ctrl k`. */
/** The keys of the parts on the page; the newest part comes first. @type {Keys[]} */
const active = [];

/** Keys that act while this part is there. @param {Keys} keys */
export function useKeys(keys) {
  useEffect(() => {
    active.unshift(keys);
    return () => { active.splice(active.indexOf(keys), 1); };
  });
}

let first = "", since = 0;
addEventListener("keydown", event => {
  if (event.isComposing || event.altKey) return;
  const held = event.ctrlKey || event.metaKey;
  const dialog = document.querySelector("dialog[open]");
  if (event.key === "Enter" && held) {
    const form = /** @type {Element} */ (event.target).closest?.("form") ?? (dialog ?? document.querySelector("main"))?.querySelector("form");
    if (form) { event.preventDefault(); form.requestSubmit(); }
    return;
  }
  const typing = /** @type {Element} */ (event.target).closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const name = held ? `Ctrl ${event.key.toLowerCase()}` : event.key;
  if (dialog || (!held && (typing || !singleKeys.value))) return;
  const pair = Date.now() - since < 1500 ? `${first} ${name}` : "";
  [first, since] = [name, Date.now()];
  // The browser handles Enter on links and buttons.
  if (name === "Enter" && /** @type {Element} */ (event.target).closest?.("a, button, summary, input")) return;
  for (const key of pair ? [pair, name] : [name]) {
    const keys = active.find(keys => keys[key]);
    if (keys) { event.preventDefault(); return keys[key](); }
  }
});
