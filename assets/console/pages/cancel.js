// Cancelling an order. While money is held, it asks what to do with it.
import { html, useState } from "../vendor/preact.js";
import { newKey, send } from "../lib/api.js";
import { money, parseMoney, plainMoney } from "../lib/money.js";
import { may } from "../lib/session.js";
import { close, frame, open, say } from "../ui/dialog.js";
import { Field, Trouble, submit, useForm } from "../ui/field.js";
import { Amount, amountFault } from "./payment.js";
import { conflict } from "./steps.js";

/** @param {{order: Order, refundable: number, reload: () => Promise<void>}} props */
export function Cancel({ order, refundable, reload }) {
  const { currency } = order, name = order.number ? `#${order.number}` : "draft";
  const held = refundable > 0;
  const [what, setWhat] = useState(may("refunds:write") ? "full" : "none");
  const [text, setText] = useState(plainMoney(refundable, currency));
  const [reason, setReason] = useState("");
  const amount = parseMoney(text, currency);
  const refund = !held ? undefined : what === "amount" ? amount : what;
  const run = async (/** @type {number} */ version, /** @type {string} */ key) => {
    await send(`/v1/orders/${order.id}/cancel`, { method: "POST", version, key, body: { ...(reason ? { reason } : {}), ...(refund === undefined ? {} : { refund }) } });
    close();
    say(`Order ${name} is cancelled.`);
    await reload();
  };
  const form = useForm(async key => {
    try {
      await run(order.version, key);
    } catch (problem) {
      if (/** @type {any} */ (problem).status !== 412) throw problem;
      await conflict(order, [["Status", order.status, "cancelled"]], version => run(version, newKey()).catch(again => { open(html`<${Cancel} order=${{ ...order, version }} refundable=${refundable} reload=${reload} />`); say(again.message, "bad"); }), reload);
    }
  });
  const radio = (/** @type {string} */ value, /** @type {string} */ label) => html`<label class="tickline"><input type="radio" name="refund" value=${value} checked=${what === value} onChange=${() => setWhat(value)} /> <span>${label}</span></label>`;
  const given = what === "full" ? refundable : what === "amount" ? amount ?? 0 : 0;
  const deed = held && given > 0 ? `Cancel order and refund ${money(given, currency)}` : "Cancel order";
  return frame(`Cancel ${name}?`, html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    <p>A cancelled order can’t be opened again.</p>
    ${held && html`<fieldset><legend>${money(refundable, currency)} is held for it</legend>${may("refunds:write") && radio("full", `Refund all of it`)}${radio("none", "Refund nothing")}${may("refunds:write") && radio("amount", "Refund part of it")}</fieldset>`}
    ${held && what === "amount" && html`<${Amount} currency=${currency} value=${text} onInput=${setText} pointer="#/refund" fault=${form.at("#/refund") || amountFault(text, currency)} />`}
    <${Field} label="Reason" value=${reason} onInput=${setReason} pointer="#/reason" fault=${form.at("#/reason")} maxlength="255" />
    <footer><button type="button" onClick=${close}>Back</button>${submit(form, deed, "main danger", what === "amount" && !amount)}</footer></form>`);
}
