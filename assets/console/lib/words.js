// What an event says, as a sentence for people.
import { html } from "../vendor/preact.js";
import { words } from "./format.js";
import { money } from "./money.js";

/** Who did it. @param {any} event */
export const who = event => event.actor_name ?? (event.actor === "system" ? "system" : "Erased user");

const STEPS = { "order.placed": "placed", "order.confirmed": "confirmed", "order.fulfilled": "fulfilled", "order.cancelled": "cancelled", "order.erased": "personal data erased" };

/** In a line of the feed: the number and what happened. @param {any} event */
export function short(event) {
  const { type, data } = event, number = event.order_number ?? data?.number ?? data?.order_number;
  const name = number ? html`<b>#${number}</b>` : html`<b>A draft</b>`;
  if (!data || type.startsWith("order.")) return html`${name} ${type === "order.created" ? number ? "placed" : "made" : type === "order.updated" ? "changed" : STEPS[/** @type {keyof typeof STEPS} */ (type)] ?? words(type)}`;
  return html`<b>${money(data.amount, data.currency)}</b> ${type === "payment.recorded" ? "paid" : type === "refund.recorded" ? "refunded" : `${type.split(".")[0]} ${data.status}`} ${number && html`<small>#${number}</small>`}`;
}

/** In the history of its order. @param {any} event @param {any} before the data of the order's event before this one */
export function long({ type, data }, before) {
  if (!data) return words(type.replace(".", " "));
  const amount = html`<b>${money(data.amount ?? data.total_amount ?? 0, data.currency)}</b>`;
  switch (type) {
    case "order.created": return data.status === "draft" ? html`Draft over ${amount} made` : html`Order placed for ${amount}`;
    case "order.placed": return html`Placed for ${amount}`;
    case "order.confirmed": return "Confirmed";
    case "order.fulfilled": return "Fulfilled";
    case "order.cancelled": return html`Cancelled${data.cancel_reason && `: ${data.cancel_reason}`}`;
    case "order.erased": return "Personal data erased";
    case "order.updated": return html`Changed${before && html`<p class="changes">${changes(before, data)}</p>`}`;
    case "payment.recorded": return html`${amount} ${data.status === "pending" ? "expected" : "paid"}${data.provider && ` by ${data.provider}`}`;
    case "refund.recorded": return html`${amount} ${data.status === "pending" ? "refund expected" : "refunded"}${data.reason && `: ${data.reason}`}`;
    default: return html`${words(type.split(".")[0])} of ${amount} ${data.status}`;
  }
}

const NAMES = { note: "note", customer: "customer", external_ref: "reference", order_discount_amount: "discount", user_id: "account", prices_include_tax: "prices include tax", total_amount: "total" };

/** What differs between two versions, in words: prices before and after, names of fields. @param {any} before @param {any} after */
function changes(before, after) {
  const f = (/** @type {number} */ amount) => money(amount, after.currency);
  const items = (after.items ?? []).flatMap((/** @type {any} */ item) => {
    const was = (before.items ?? []).find((/** @type {any} */ one) => one.sku === item.sku);
    if (!was) return [`${item.name} added`];
    return [...was.unit_amount !== item.unit_amount ? [`${item.name}: price ${f(was.unit_amount)} → ${f(item.unit_amount)}`] : [], ...was.quantity !== item.quantity ? [`${item.name}: quantity ${was.quantity} → ${item.quantity}`] : []];
  });
  const gone = (before.items ?? []).filter((/** @type {any} */ item) => !(after.items ?? []).some((/** @type {any} */ one) => one.sku === item.sku)).map((/** @type {any} */ item) => `${item.name} removed`);
  const fields = Object.entries(NAMES).filter(([name]) => JSON.stringify(before[name]) !== JSON.stringify(after[name])).map(([name, says]) => name.endsWith("_amount") ? `${says} ${f(before[name] ?? 0)} → ${f(after[name] ?? 0)}` : says);
  return [...items, ...gone, ...fields].join(" · ");
}

