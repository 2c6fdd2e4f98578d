// The address is the state: Back, reload and a copied link show the same.
import { signal } from "../vendor/preact.js";
import { root } from "./api.js";

export const base = root + "/console";
/** @typedef {{path: string, query: URLSearchParams, back: boolean}} Here */
/** @param {boolean} back @returns {Here} */
const read = back => ({ path: location.pathname.slice(base.length).replace(/\/$/, "") || "/", query: new URLSearchParams(location.search), back });

/** Where we are, and whether Back or Forward led there. */
export const here = signal(read(performance.getEntriesByType("navigation").some(entry => /** @type {any} */ (entry).type !== "navigate")));

/** Forms that hold something unsaved. @type {Set<object>} */
export const unsaved = new Set();
const leaves = () => {
  if (unsaved.size && !confirm("Leave this form? What you entered is not saved.")) return false;
  unsaved.clear();
  return true;
};

/** The scroll position of every entry of the history that was left. */
const scrolls = /** @type {Record<string, number>} */ (JSON.parse(sessionStorage.scrolls ?? "{}"));
let place = history.state?.place ?? String(Date.now());
history.scrollRestoration = "manual";
history.replaceState({ ...history.state, place }, "");
const keepScroll = () => { scrolls[place] = scrollY; };
addEventListener("pagehide", () => { keepScroll(); sessionStorage.scrolls = JSON.stringify(scrolls); });

/** Scrolls to where the reader was on this entry; called when the content stands. */
export const restoreScroll = () => { if (here.peek().back) scrollTo(0, scrolls[place] ?? 0); };

/** @param {string} to @param {{replace?: boolean}} [options] */
export function go(to, { replace = false } = {}) {
  if (!replace && !leaves()) return;
  keepScroll();
  if (!replace) place = String(Date.now());
  const from = replace ? history.state?.from : here.peek().path;
  history[replace ? "replaceState" : "pushState"]({ place, from }, "", base + to);
  here.value = read(false);
  if (!replace) scrollTo(0, 0);
}

/** Goes back if the reader came from this place, so that it is as it was left. @param {string} path @returns {(event: Event) => void} */
export const backTo = path => event => {
  if (history.state?.from !== path) return;
  event.preventDefault();
  history.back();
};

/** The present address with some of its parameters changed. @param {Record<string, string>} values @param {{replace?: boolean}} [options] */
export function change(values, options) {
  const to = new URLSearchParams(here.peek().query);
  for (const [name, value] of Object.entries(values)) value ? to.set(name, value) : to.delete(name);
  go(here.peek().path + (to.size ? "?" + to : ""), options);
}

addEventListener("popstate", event => {
  if (!leaves()) return history.pushState({ place }, "", base + here.peek().path + location.search);
  keepScroll();
  place = event.state?.place ?? place;
  here.value = read(true);
});
addEventListener("beforeunload", event => { if (unsaved.size) event.preventDefault(); });
addEventListener("click", event => {
  const link = /** @type {Element} */ (event.target).closest?.("a[href]");
  if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.origin !== location.origin || !(link.pathname + "/").startsWith(base + "/") || link.target || link.download || link.hash) return;
  event.preventDefault();
  go(link.pathname.slice(base.length) + link.search);
});
