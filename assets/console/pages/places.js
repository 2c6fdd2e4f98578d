// @ts-check
// Every place of the console: its address, its name, and who sees it.
import { html } from "../vendor/preact.js";
import { isCustomer, may } from "../lib/session.js";
import { Home } from "./home.js";
import { Orders } from "./orders.js";

const READS_ORDERS = ["orders:read", "orders:read_own"];
/** @typedef {{to: string, name: string, sign: import("../ui/icons.js").Icon, needs: string[], page: () => any}} Place */
/** @type {Place[]} */
const PLACES = [
  { to: "/", name: "Home", sign: "home", needs: ["orders:read", "analytics:read"], page: () => html`<${Home} />` },
  { to: "/orders", name: "Orders", sign: "orders", needs: READS_ORDERS, page: () => html`<${Orders} />` },
];

/** @type {[RegExp, string[], (id: string) => any][]} */
const DEEPER = [];

/** The places that this user sees, in the order of the menu. */
export const menu = () => PLACES.filter(place => place.needs.length === 0 || may(...place.needs))
  .map(place => place.to === "/orders" && isCustomer() ? { ...place, name: "My orders" } : place);

/** Where this user begins. */
export function landing() {
  if (may("analytics:read")) return "/";
  if (may("orders:transition")) return "/orders?status=confirmed";
  return may(...READS_ORDERS) ? "/orders" : "/account";
}

/** The page of an address, and whether this user may see it. @param {string} path @returns {{allowed: boolean, page: any} | null} */
export function pageAt(path) {
  const place = PLACES.find(place => place.to === path);
  if (place) return { allowed: !place.needs.length || may(...place.needs), page: place.page() };
  for (const [pattern, needs, page] of DEEPER) {
    const match = pattern.exec(path);
    if (match) return { allowed: !needs.length || may(...needs), page: page(decodeURIComponent(match[1] ?? "")) };
  }
  return null;
}
