// The places of the menu: their addresses, their names, and who sees them. What stands there is in pages/places.js.
import { isCustomer, may } from "./session.js";

export const READS_ORDERS = ["orders:read", "orders:read_own"];
/** @typedef {{to: string, name: string, sign: Icon, needs: string[]}} Place */
/** @type {Place[]} */
export const PLACES = [
  { to: "/", name: "Home", sign: "home", needs: ["orders:read", "analytics:read"] },
  { to: "/orders", name: "Orders", sign: "orders", needs: READS_ORDERS },
  { to: "/payments", name: "Payments", sign: "money", needs: READS_ORDERS },
  { to: "/analytics", name: "Analytics", sign: "figures", needs: ["analytics:read"] },
  { to: "/users", name: "Users", sign: "people", needs: ["users:read"] },
  { to: "/roles", name: "Roles", sign: "roles", needs: ["roles:write"] },
  { to: "/keys", name: "API keys", sign: "keys", needs: ["api_keys:write"] },
  { to: "/webhooks", name: "Webhooks", sign: "hook", needs: ["webhooks:write"] },
  { to: "/audit", name: "Audit log", sign: "audit", needs: ["audit:read"] },
  { to: "/system", name: "System", sign: "system", needs: ["system:backup"] },
];

/** The places that this user sees, in the order of the menu. */
export const menu = () => PLACES.filter(place => may(...place.needs))
  .map(place => place.to === "/orders" && isCustomer() ? { ...place, name: "My orders" } : place);

/** Where this user begins. */
export function landing() {
  if (may("analytics:read")) return "/";
  if (may("orders:transition")) return "/orders?status=confirmed";
  return may(...READS_ORDERS) ? "/orders" : "/account";
}
