// Giving money back: all that is left, an amount, or goods that came back.
import { html, useState } from "../vendor/preact.js";
import { send } from "../lib/api.js";
import { money, parseMoney, plainMoney } from "../lib/money.js";
import { share } from "../lib/prices.js";
import { close, frame, say } from "../ui/dialog.js";
import { Field, Trouble, submit, tick, useForm } from "../ui/field.js";
import { Amount, amountFault } from "./payment.js";

/** What so many more of an item are worth: the share of the line, less what came back before. @param {OrderItem} item @param {number} quantity */
const worth = (item, quantity) => share(item.total_amount, item.returned_quantity + quantity, item.quantity) - share(item.total_amount, item.returned_quantity, item.quantity);

/** @param {{order: Order, transactions: Transaction[], done: () => Promise<void>}} props */
export function Refund({ order, transactions, done }) {
  const { currency } = order, f = (/** @type {number} */ amount) => money(amount, currency);
  const waiting = transactions.filter(row => row.kind === "refund" && row.status === "pending").reduce((sum, row) => sum + row.amount, 0);
  const most = order.paid_amount - order.refunded_amount - waiting;
  const payments = transactions.filter(row => row.kind === "payment" && row.status === "succeeded");
  const [text, setText] = useState(plainMoney(most, currency));
  const [back, setBack] = useState(/** @type {Record<string, number>} */ ({}));
  const [reason, setReason] = useState("");
  const [payment, setPayment] = useState("");
  const [pending, setPending] = useState(false);
  const [stillOwed, setStillOwed] = useState(false);
  const amount = parseMoney(text, currency);
  const items = Object.entries(back).filter(([, quantity]) => quantity > 0).map(([item_id, quantity]) => ({ item_id, quantity }));
  const form = useForm(async key => {
    const body = { amount, status: pending ? "pending" : "succeeded", reason: reason || null, payment_id: payment || null, ...(items.length ? { items } : {}), ...(stillOwed ? { credit_amount: 0 } : {}) };
    await send(`/v1/orders/${order.id}/refunds`, { method: "POST", key, body });
    close();
    say(`${f(amount ?? 0)} ${pending ? "to be refunded" : "refunded"} on #${order.number}.`);
    await done();
  });
  const tooMuch = amount !== null && amount > most ? `must be at most ${f(most)}` : "";
  const fault = form.at("#/amount") || amountFault(text, currency) || tooMuch;
  const type = (/** @type {string} */ value) => { setText(value); form.clear(); };
  const take = (/** @type {Record<string, number>} */ to) => {
    setBack(to);
    const total = order.items.reduce((sum, item) => sum + worth(item, to[item.id] ?? 0), 0);
    type(plainMoney(Math.min(total, most), currency));
  };
  const returnable = order.status === "cancelled" ? [] : order.items.filter(item => item.returned_quantity < item.quantity);
  const left = (/** @type {OrderItem} */ item) => item.quantity - item.returned_quantity;
  const itemsFault = items.map((_, i) => form.at(`#/items/${i}/quantity`)).find(Boolean);
  return frame(`Refund on #${order.number}`, html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    <${Amount} currency=${currency} value=${text} fault=${fault} autofocus=${true} onInput=${type} />
    <div class="chips"><button type="button" class="chip" onClick=${() => { setBack({}); type(plainMoney(most, currency)); }}>All: ${f(most)}</button>
      ${returnable.slice(0, 4).map(item => html`<button type="button" class="chip" aria-pressed=${back[item.id] === left(item)} onClick=${() => take(back[item.id] === left(item) ? { ...back, [item.id]: 0 } : { ...back, [item.id]: left(item) })}>${item.name}: ${f(worth(item, left(item)))}</button>`)}</div>
    ${returnable.length > 0 && html`<details open=${items.length > 0}><summary>Goods that came back</summary><table><tbody>${returnable.map(item => html`<tr><td>${item.name} <small>of ${left(item)}</small></td><td class="num">
      <input type="number" class="num" min="0" max=${left(item)} value=${back[item.id] ?? 0} aria-label="Quantity of ${item.name} that came back" onInput=${(/** @type {any} */ event) => take({ ...back, [item.id]: Math.max(0, Math.min(left(item), Math.trunc(Number(event.target.value)) || 0)) })} /></td></tr>`)}</tbody></table></details>`}
    ${itemsFault && html`<p class="fault">${itemsFault}</p>`}
    ${payments.length > 1 && html`<${Field} label="Payment" value=${payment} onInput=${setPayment} pointer="#/payment_id" fault=${form.at("#/payment_id")} options=${[["", "Any"], ...payments.map(row => [row.id, `${f(row.amount)} ${row.provider ?? ""} ${row.provider_ref ?? ""}`])]} />`}
    <${Field} label="Reason" value=${reason} onInput=${setReason} pointer="#/reason" fault=${form.at("#/reason")} maxlength="255" list="reasons" placeholder="Seen by colleagues, in the history" />
    <datalist id="reasons"><option>Damaged</option><option>Returned</option><option>Arrived late</option><option>Goodwill</option></datalist>
    ${tick({ label: "The money has not moved yet: keep it pending", checked: pending, onChange: setPending })}
    ${order.status !== "cancelled" && !items.length && tick({ label: "Still owed: the customer took it back (chargeback)", checked: stillOwed, onChange: setStillOwed })}
    <dl class="totals after"><dt>Paid</dt><dd>${f(order.paid_amount)}</dd>${order.refunded_amount + waiting > 0 && html`<dt>Refunded before</dt><dd>−${f(order.refunded_amount + waiting)}</dd>`}<dt>Refund now</dt><dd>−${f(amount ?? 0)}</dd><dt class="sum">Left</dt><dd class="sum">${f(most - (amount ?? 0))}</dd></dl>
    <p class="hint">This records the refund. orderd does not send money: that is your payment provider’s part.</p>
    <footer><button type="button" onClick=${close}>Back</button>${submit(form, `Refund ${amount === null ? "" : f(amount)}`, "main danger", amount === null || !!tooMuch)}</footer></form>`);
}
