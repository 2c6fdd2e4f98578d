// @ts-check
// One order: what was bought, what was paid, what happened, and the next step.
import { html, useEffect } from "../vendor/preact.js";
import { ask, newKey, send } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useKeys } from "../lib/keys.js";
import { latest } from "../lib/live.js";
import { useLoad } from "../lib/load.js";
import { money, showRate } from "../lib/money.js";
import { backTo, base, go } from "../lib/router.js";
import { isCustomer, may, me } from "../lib/session.js";
import { long, who } from "../lib/words.js";
import { confirmDeed, open, say } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { badge, card, facts, states } from "../ui/parts.js";
import { Cancel } from "./cancel.js";
import { Edit } from "./edit.js";
import { Payment } from "./payment.js";
import { Refund } from "./refund.js";
import { takeStep } from "./steps.js";
import { transactionList } from "./transactions.js";
/** @typedef {import("../lib/types.d.ts").Order} Order */
/** @typedef {import("../lib/types.d.ts").Transaction} Transaction */
/** @typedef {import("../lib/types.d.ts").OrderEvent} OrderEvent */
/** @typedef {{order: Order, events: OrderEvent[], transactions: Transaction[]}} Whole */

/** @type {Record<string, [string, import("../ui/icons.js").Icon]>} */
const STEPS = { place: ["Place", "plus"], confirm: ["Confirm", "check"], fulfil: ["Fulfil", "truck"] };
/** Statuses in which items can be changed. */
const OPEN = ["draft", "pending", "confirmed"];

/** @param {string} path @returns {Promise<any[]>} */
async function all(path) {
  const rows = [];
  let page;
  do { page = await ask(`${path}?limit=200${page ? `&cursor=${encodeURIComponent(page.page.next)}` : ""}`); rows.push(...page.data); } while (page.page.has_more);
  return rows;
}

/** @param {{id: string}} props */
export function OrderPage({ id }) {
  // Somebody else's change is shown as it comes.
  const newest = latest.value.find(event => event.order_id === id)?.seq;
  const whole = useLoad(() => Promise.all([ask(`/v1/orders/${id}`), all(`/v1/orders/${id}/events`), all(`/v1/orders/${id}/transactions`)])
    .then(([order, events, transactions]) => /** @type {Whole} */ ({ order, events, transactions })), [id, newest]);
  // Customers follow no feed; what they see is fresh when they come back to the page.
  useEffect(() => {
    const again = () => { if (!document.hidden) whole.reload(); };
    if (isCustomer()) document.addEventListener("visibilitychange", again);
    return () => document.removeEventListener("visibilitychange", again);
  }, [id]);
  return html`<a class="back" href="${base}/orders" onClick=${backTo("/orders")}>${icon("back")} Orders</a>
    ${states(whole, 10, data => html`<${Shown} ...${data} reload=${whole.reload} />`)}`;
}

/** @param {Order} order */
function rights(order) {
  const own = order.user_id === me.value?.id;
  const early = order.status === "draft" || order.status === "pending";
  const step = order.allowed_transitions.find(name => name !== "cancel");
  return {
    step: step && (may("orders:transition") || (step === "place" && own && may("orders:create_own"))) ? step : undefined,
    cancel: order.allowed_transitions.includes("cancel") && (may("orders:cancel") || (own && early && may("orders:cancel_own"))),
    edit: may("orders:update") || (own && may("orders:update_own")),
    items: OPEN.includes(order.status) && (may("orders:update") || (own && early && may("orders:update_own"))),
    pay: order.status !== "draft" && order.placed_at !== null && may("payments:write"),
    erase: may("personal_data:erase"),
  };
}

/** @param {Whole & {reload: () => Promise<void>}} props */
function Shown({ order, events, transactions, reload }) {
  const allowed = rights(order), f = (/** @type {number} */ amount) => money(amount, order.currency);
  const name = order.number ? `#${order.number}` : "Draft";
  const waiting = transactions.filter(row => row.kind === "refund" && row.status === "pending").reduce((sum, row) => sum + row.amount, 0);
  const held = order.paid_amount - order.refunded_amount, refundable = held - waiting;
  const refund = () => open(html`<${Refund} order=${order} transactions=${transactions} done=${reload} />`);
  const pay = () => open(html`<${Payment} order=${order} done=${reload} />`);
  const edit = () => open(html`<${Edit} order=${order} reload=${reload} />`);
  const cancel = () => open(html`<${Cancel} order=${order} refundable=${refundable} reload=${reload} />`);
  const mayRefund = may("refunds:write") && refundable > 0;
  const owes = allowed.pay && order.balance_amount > 0 && order.status !== "cancelled";
  useKeys({ ...(allowed.edit ? { e: edit } : {}), ...(mayRefund ? { r: refund } : {}) });
  return html`
    <header class="head"><h1 tabindex="-1">${name}</h1>${badge(order.status)}${order.number && badge(order.payment_status)}<span class="faint">${format.at(order.placed_at ?? order.created_at)}</span><span class="grow"></span>
      ${mayRefund && html`<button onClick=${refund}>${icon("refund")} Refund</button>`}
      ${owes && html`<button onClick=${pay}>${icon("money")} Record payment</button>`}
      ${allowed.step && html`<${StepButton} order=${order} step=${allowed.step} reload=${reload} />`}
      <details class="more" onClick=${(/** @type {any} */ event) => { if (event.target.closest("button, a")) event.currentTarget.open = false; }}><summary aria-label="More">${icon("more")}</summary><div>
        ${allowed.edit && html`<button onClick=${edit}>${icon("edit")} Edit</button>`}
        ${allowed.items && html`<a class="button" href="${base}/orders/${order.id}/items">${icon("table")} Change items</a>`}
        ${allowed.pay && !owes && html`<button onClick=${pay}>${icon("money")} Record payment</button>`}
        <button onClick=${() => navigator.clipboard.writeText(location.href).then(() => say("Link copied."), () => say(location.href))}>${icon("link")} Copy link</button>
        <button onClick=${() => print()}>${icon("print")} Print</button>
        ${allowed.cancel && html`<button onClick=${cancel}>${icon("close")} Cancel order</button>`}
        ${allowed.erase && html`<button onClick=${() => erase(order, name, reload)}>${icon("people")} Erase personal data</button>`}
      </div></details></header>
    <div class="columns order">
      <div>${card("Items", itemTable(order, f))}${card("History", history(events), null, "history")}</div>
      <div>${paymentCard(order, held, transactions, reload)}
        ${card("Customer", customer(order), allowed.edit && html`<button class="quiet square" aria-label="Change customer" onClick=${edit}>${icon("edit")}</button>`)}
        ${order.note && card("Note", html`<p class="pad address">${order.note}</p>`)}
        ${card("Details", facts([["Reference", order.external_ref], ...Object.entries(order.metadata), ["Prices", order.prices_include_tax ? "include tax" : "without tax"], ["Cancelled because", order.cancel_reason], ["Version", order.version], ["Id", html`<code>${order.id}</code>`]]), null, "details")}</div>
    </div>`;
}

/** @param {{order: Order, step: string, reload: () => Promise<void>}} props */
function StepButton({ order, step, reload }) {
  const [name, sign] = STEPS[step];
  return html`<button class="main" onClick=${async (/** @type {any} */ event) => {
    const button = event.currentTarget;
    if (button.disabled) return;
    button.disabled = true;
    button.lastChild.textContent = " Sending …";
    await takeStep(order, step, newKey(), reload);
    button.lastChild.textContent = ` ${name}`;
    button.disabled = false;
  }}>${icon(sign)} ${name}</button>`;
}

/** @param {Order} order @param {string} name @param {() => Promise<void>} reload */
const erase = (order, name, reload) => confirmDeed({
  title: `Erase personal data of ${name}?`, words: "Customer, note and reasons are deleted for good, in the history too. Amounts and figures stay.", deed: "Erase personal data",
  run: async () => { await send(`/v1/orders/${order.id}/erase`, { method: "POST", key: newKey() }); say("Erased."); await reload(); },
});

/** @param {Order} order @param {(amount: number) => string} f */
function itemTable(order, f) {
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
function history(events) {
  const documents = events.map(event => event.type.startsWith("order.") ? event.data : null);
  return html`<ol class="timeline">${events.map((event, i) => html`<li key=${event.seq} class=${event.type.split(".")[0]}><div>${long(event, documents.slice(0, i).findLast(one => one))}</div>
    <small>${who(event)} · <time datetime=${event.occurred_at} title=${event.request_id}>${format.at(event.occurred_at)}</time></small></li>`).toReversed()}</ol>`;
}

/** @param {Order} order @param {number} held @param {Transaction[]} transactions @param {() => Promise<void>} reload */
function paymentCard(order, held, transactions, reload) {
  const f = (/** @type {number} */ amount) => money(amount, order.currency), owed = order.total_amount - order.credited_amount;
  return card("Payment", html`<div class="kept"><div><b>${f(held)}</b><small>received of ${f(owed)}</small></div>
      <progress max=${Math.max(1, owed)} value=${Math.min(held, owed)} aria-label="Received"></progress>
      ${order.balance_amount > 0 && order.status !== "draft" && html`<p class="due">${f(order.balance_amount)} is still to be paid.</p>`}
      ${order.balance_amount < 0 && html`<p class="due">${f(-order.balance_amount)} more than is owed: give it back.</p>`}</div>
    ${transactionList(transactions, reload)}`);
}

/** @param {Order} order */
function customer(order) {
  const { name, email, phone, address } = order.customer ?? {};
  return html`<div class="pad"><b>${name ?? (order.user_id ? "An account" : "–")}</b>
    ${email && html`<div><a href="mailto:${email}">${email}</a></div>`}${phone && html`<div><a href="tel:${phone}">${phone}</a></div>`}${address && html`<p class="address">${address}</p>`}
    ${order.user_id && may("users:read") && html`<div><a href="${base}/users/${order.user_id}">Account</a></div>`}
    ${!isCustomer() && (email || order.user_id) && html`<div><a href="${base}/orders?${order.user_id ? `user_id=${order.user_id}` : `customer_email=${encodeURIComponent(email ?? "")}`}">Other orders of theirs</a></div>`}</div>`;
}

/** An order by its number, for links from other programs. @param {{number: string}} props */
export function ByNumber({ number }) {
  const found = useLoad(() => ask(`/v1/orders/number/${encodeURIComponent(number)}`), [number]);
  useEffect(() => { if (found.data) go(`/orders/${found.data.id}`, { replace: true }); }, [found.data]);
  return states(found, 10, () => "");
}
