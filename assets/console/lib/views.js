// Saved views: a name and a filter, kept in this browser for this user.
import { computed, signal } from "../vendor/preact.js";
import { me } from "./session.js";

/** @type {Signal<Record<string, [string, string][]>>} */
const all = signal(JSON.parse(localStorage.views ?? "{}"));
const owner = () => me.value?.id ?? "";
export const savedViews = computed(() => all.value[owner()] ?? []);

/** @param {string} name @param {string | null} filter null: forget it */
export function saveView(name, filter) {
  const others = savedViews.peek().filter(([one]) => one !== name);
  all.value = { ...all.value, [owner()]: filter === null ? others : [...others, [name, filter]] };
  localStorage.views = JSON.stringify(all.value);
}
