// The cards on the page of an order: items and totals, history, payment, customer.
import { html } from "../vendor/preact.js";
import * as format from "../lib/format.js";
import { money, showRate } from "../lib/money.js";
import { base } from "../lib/router.js";
import { isCustomer, may } from "../lib/session.js";
import { long, who } from "../lib/words.js";
import { card } from "../ui/parts.js";
import { transactionList } from "./transactions.js";

/** @param {Order} order @param {(amount: number) => string} f */
export function itemTable(order, f) {
  const tax = (/** @type {{tax_rate: string | null, tax_amount: number}} */ row) => row.tax_amount > 0 && `${row.tax_rate ? `${showRate(row.tax_rate)} % ` : ""}tax ${f(row.tax_amount)}`;
  return html`<table class="lines"><thead><tr><th>Item</th><th class="num">Quantity</th><th class="num">Price</th><th class="num">Total</th></tr></thead>
    <tbody>${order.items.map(item => html`<tr key=${item.id}><td><b>${item.name}</b> <small>${item.sku}</small><small class="onphone">${format.count(item.quantity)} × ${f(item.unit_amount)}</small>
      ${item.returned_quantity > 0 && html`<small class="under">${format.count(item.returned_quantity)} came back</small>`}</td><td class="num">${format.count(item.quantity)}</td>
      <td class="num">${f(item.unit_amount)}${item.discount_amount + item.allocated_discount_amount > 0 && html`<small class="under">−${f(item.discount_amount + item.allocated_discount_amount)}</small>`}</td>
      <td class="num">${f(item.total_amount)}<small class="under">${tax(item)}</small></td></tr>`)}</tbody></table>
    <dl class="totals"><dt>Subtotal</dt><dd>${f(order.subtotal_amount)}</dd>
      ${order.discount_amount > 0 && html`<dt>Discount</dt><dd>−${f(order.discount_amount)}</dd>`}
      ${order.fees.map(fee => html`<dt>${fee.name}</dt><dd>${f(fee.amount)}</dd>`)}
      ${order.taxes.map(row => html`<dt>${order.prices_include_tax ? "Of it tax" : "Tax"}${row.tax_rate !== null && ` ${showRate(row.tax_rate)} %`}</dt><dd>${f(row.tax_amount)}</dd>`)}
      <dt class="sum">Total</dt><dd class="sum">${f(order.total_amount)}</dd>
      ${order.credited_amount > 0 && html`<dt>Credited</dt><dd>−${f(order.credited_amount)}</dd>`}</dl>`;
}

/** @param {OrderEvent[]} events ascending */
export function history(events) {
  const documents = events.map(event => event.type.startsWith("order.") ? event.data : null);
  return html`<ol class="timeline">${events.map((event, i) => html`<li key=${event.seq} class=${event.type.split(".")[0]}><div>${long(event, documents.slice(0, i).findLast(one => one))}</div>
    <small>${who(event)} · <time datetime=${event.occurred_at} title=${event.request_id}>${format.at(event.occurred_at)}</time></small></li>`).toReversed()}</ol>`;
}

/** @param {Order} order @param {number} held @param {Transaction[]} transactions @param {() => Promise<void>} reload */
export function paymentCard(order, held, transactions, reload) {
  const f = (/** @type {number} */ amount) => money(amount, order.currency), owed = order.total_amount - order.credited_amount;
  return card("Payment", html`<div class="kept"><div><b>${f(held)}</b><small>received of ${f(owed)}</small></div>
      <progress max=${Math.max(1, owed)} value=${Math.min(held, owed)} aria-label="Received"></progress>
      ${order.balance_amount > 0 && order.status !== "draft" && html`<p class="due">${f(order.balance_amount)} is still to be paid.</p>`}
      ${order.balance_amount < 0 && html`<p class="due">${f(-order.balance_amount)} more than is owed: give it back.</p>`}</div>
    ${transactionList(transactions, reload)}`);
}

/** @param {Order} order */
export function customer(order) {
  const { name, email, phone, address } = order.customer ?? {};
  return html`<div class="pad"><b>${name ?? (order.user_id ? "An account" : "–")}</b>
    ${email && html`<div><a href="mailto:${email}">${email}</a></div>`}${phone && html`<div><a href="tel:${phone}">${phone}</a></div>`}${address && html`<p class="address">${address}</p>`}
    ${order.user_id && may("users:read") && html`<div><a href="${base}/users/${order.user_id}">Account</a></div>`}
    ${!isCustomer() && (email || order.user_id) && html`<div><a href="${base}/orders?${email ? `customer_email=${encodeURIComponent(email)}` : `user_id=${order.user_id}`}">Other orders of theirs</a></div>`}</div>`;
}
