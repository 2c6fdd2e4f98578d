// The page of every address, and who sees it.
import { html } from "../vendor/preact.js";
import { PLACES, READS_ORDERS } from "../lib/menu.js";
import { may } from "../lib/session.js";
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

/** What stands at the places of the menu. @type {Record<string, () => any>} */
const PAGES = { "/": Home, "/orders": Orders, "/payments": Transactions, "/analytics": Analytics, "/users": Users, "/roles": Roles, "/keys": Keys, "/webhooks": Webhooks, "/audit": Audit, "/system": System };

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

/** The page of an address, and whether this user may see it. @param {string} path @returns {{allowed: boolean, page: any} | null} */
export function pageAt(path) {
  const place = PLACES.find(place => place.to === path);
  if (place) return { allowed: may(...place.needs), page: html`<${PAGES[path]} />` };
  for (const [pattern, needs, page] of DEEPER) {
    const match = pattern.exec(path);
    if (match) return { allowed: !needs.length || may(...needs), page: page(decodeURIComponent(match[1] ?? "")) };
  }
  return null;
}
