// One order: what was bought, what was paid, what happened, and the next step.
import { html, useEffect } from "../vendor/preact.js";
import { ask, newKey, send } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useKeys } from "../lib/keys.js";
import { latest } from "../lib/live.js";
import { useLoad } from "../lib/load.js";
import { money } from "../lib/money.js";
import { backTo, base, go } from "../lib/router.js";
import { isCustomer, may, me } from "../lib/session.js";
import { close, confirmDeed, open, say } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { badge, card, facts, states } from "../ui/parts.js";
import { Cancel } from "./cancel.js";
import { Edit } from "./edit.js";
import { customer, history, itemTable, paymentCard } from "./order-parts.js";
import { Payment } from "./payment.js";
import { Refund } from "./refund.js";
import { takeStep } from "./steps.js";
/** @typedef {{order: Order, events: OrderEvent[], transactions: Transaction[]}} Whole */

/** @type {Record<string, [string, Icon]>} */
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
  title: `Erase personal data of ${name}?`, words: html`Customer, note and reasons of this order are deleted for good, in the history too. Amounts and figures stay.${order.user_id && may("users:read") && html` The customer has an account: <a href="${base}/users/${order.user_id}" onClick=${close}>erase all of it there</a>.`}`, deed: "Erase personal data",
  run: async () => { await send(`/v1/orders/${order.id}/erase`, { method: "POST", key: newKey() }); say("Erased."); await reload(); },
});

/** An order by its number, for links from other programs. @param {{number: string}} props */
export function ByNumber({ number }) {
  const found = useLoad(() => ask(`/v1/orders/number/${encodeURIComponent(number)}`), [number]);
  useEffect(() => { if (found.data) go(`/orders/${found.data.id}`, { replace: true }); }, [found.data]);
  return states(found, 10, () => "");
}
