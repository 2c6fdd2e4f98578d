// Recording a payment.
import { html, useState } from "../vendor/preact.js";
import { send } from "../lib/api.js";
import { example, money, parseMoney, plainMoney } from "../lib/money.js";
import { close, frame, say } from "../ui/dialog.js";
import { Field, Trouble, sentence, submit, tick, useForm } from "../ui/field.js";

/** The field for money: the currency stands before it. @param {{label?: string, currency: string, value: string, onInput: (value: string) => void, fault?: string, pointer?: string, autofocus?: boolean}} props */
export const Amount = ({ label = "Amount", currency, value, onInput, fault = "", pointer = "#/amount", autofocus = false }) => html`<div class="field"><label for="amount">${label}</label>
  <div class="amount"><span aria-hidden="true">${currency}</span><input id="amount" inputmode="decimal" autocomplete="off" data-pointer=${pointer} value=${value} autofocus=${autofocus} aria-invalid=${!!fault} aria-describedby=${fault ? "amount-fault" : undefined}
    onInput=${(/** @type {any} */ event) => onInput(event.target.value)} onFocus=${(/** @type {any} */ event) => event.target.select()} /></div>
  ${fault && html`<p class="fault" id="amount-fault">${sentence(label, fault)}</p>`}</div>`;

/** @param {string} text @param {string} currency */
export const amountFault = (text, currency) => text && parseMoney(text, currency) === null ? `is written like ${example(currency)}` : "";

/** @param {{order: Order, done: () => Promise<void>}} props */
export function Payment({ order, done }) {
  const { currency } = order;
  const [text, setText] = useState(order.balance_amount > 0 ? plainMoney(order.balance_amount, currency) : "");
  const [provider, setProvider] = useState("");
  const [reference, setReference] = useState("");
  const [pending, setPending] = useState(false);
  const amount = parseMoney(text, currency);
  const form = useForm(async key => {
    const body = { amount, status: pending ? "pending" : "succeeded", provider: provider || null, provider_ref: reference || null };
    await send(`/v1/orders/${order.id}/payments`, { method: "POST", key, body });
    close();
    say(`${money(amount ?? 0, currency)} ${pending ? "expected" : "received"} on #${order.number}.`);
    await done();
  });
  const fault = form.at("#/amount") || amountFault(text, currency);
  return frame(`Payment of #${order.number}`, html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    <${Amount} currency=${currency} value=${text} fault=${fault} autofocus=${true} onInput=${(/** @type {string} */ value) => { setText(value); form.clear(); }} />
    <div class="pair"><${Field} label="Paid by" value=${provider} onInput=${setProvider} pointer="#/provider" fault=${form.at("#/provider")} list="providers" hint="Bank, card, cash …" />
    <${Field} label="Reference" value=${reference} onInput=${setReference} pointer="#/provider_ref" fault=${form.at("#/provider_ref")} /></div>
    <datalist id="providers"><option>bank</option><option>card</option><option>cash</option></datalist>
    ${tick({ label: "The money has not come yet: keep it pending", checked: pending, onChange: setPending })}
    <footer><button type="button" onClick=${close}>Back</button>${submit(form, `Record ${amount === null ? "payment" : money(amount, currency)}`, "main", !amount)}</footer></form>`);
}
