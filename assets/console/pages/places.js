// Every place of the console: its address, its name, and who sees it.
import { html } from "../vendor/preact.js";
import { isCustomer, may } from "../lib/session.js";
import { Keys, Roles } from "./access.js";
import { Account } from "./account.js";
import { Analytics } from "./analytics.js";
import { Audit } from "./audit.js";
import { Home } from "./home.js";
import { Import } from "./import.js";
import { ByNumber, OrderPage } from "./order.js";
import { ChangeItems, NewOrder } from "./order-form.js";
import { Orders } from "./orders.js";
import { System } from "./system.js";
import { Transactions } from "./transactions.js";
import { UserPage, Users } from "./users.js";
import { WebhookPage, Webhooks } from "./webhooks.js";

const READS_ORDERS = ["orders:read", "orders:read_own"];
/** @typedef {{to: string, name: string, sign: Icon, needs: string[], page: () => any}} Place */
/** @type {Place[]} */
const PLACES = [
  { to: "/", name: "Home", sign: "home", needs: ["orders:read", "analytics:read"], page: () => html`<${Home} />` },
  { to: "/orders", name: "Orders", sign: "orders", needs: READS_ORDERS, page: () => html`<${Orders} />` },
  { to: "/payments", name: "Payments", sign: "money", needs: READS_ORDERS, page: () => html`<${Transactions} />` },
  { to: "/analytics", name: "Analytics", sign: "figures", needs: ["analytics:read"], page: () => html`<${Analytics} />` },
  { to: "/users", name: "Users", sign: "people", needs: ["users:read"], page: () => html`<${Users} />` },
  { to: "/roles", name: "Roles", sign: "roles", needs: ["roles:write"], page: () => html`<${Roles} />` },
  { to: "/keys", name: "API keys", sign: "keys", needs: ["api_keys:write"], page: () => html`<${Keys} />` },
  { to: "/webhooks", name: "Webhooks", sign: "hook", needs: ["webhooks:write"], page: () => html`<${Webhooks} />` },
  { to: "/audit", name: "Audit log", sign: "audit", needs: ["audit:read"], page: () => html`<${Audit} />` },
  { to: "/system", name: "System", sign: "system", needs: ["system:backup"], page: () => html`<${System} />` },
];

/** @type {[RegExp, string[], (id: string) => any][]} */
const DEEPER = [
  [/^\/account$/, [], () => html`<${Account} />`],
  [/^\/orders\/import$/, ["orders:create"], () => html`<${Import} />`],
  [/^\/orders\/new$/, ["orders:create", "orders:create_own"], () => html`<${NewOrder} />`],
  [/^\/orders\/number\/(\d+)$/, READS_ORDERS, number => html`<${ByNumber} number=${number} />`],
  [/^\/orders\/(ord_\w+)$/, READS_ORDERS, id => html`<${OrderPage} id=${id} key=${id} />`],
  [/^\/orders\/(ord_\w+)\/items$/, ["orders:update", "orders:update_own"], id => html`<${ChangeItems} id=${id} key=${id} />`],
  [/^\/users\/(usr_\w+)$/, ["users:read"], id => html`<${UserPage} id=${id} key=${id} />`],
  [/^\/webhooks\/(\w+)$/, ["webhooks:write"], id => html`<${WebhookPage} id=${id} key=${id} />`],
];

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
