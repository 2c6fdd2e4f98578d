// The lines, discount and fees of an order. Totals are computed while somebody types.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { ask, query } from "../lib/api.js";
import { blank, discountOf, totals, used } from "../lib/cart.js";
import { example, money, parseMoney, plainMoney, showRate } from "../lib/money.js";
import { Field, useForm } from "../ui/field.js";
import { icon } from "../ui/icons.js";
import { card } from "../ui/parts.js";
/** @typedef {import("../lib/cart.js").Cart} Cart */
/** @typedef {import("../lib/cart.js").Line} Line */
/** @typedef {import("../lib/cart.js").Fee} Fee */

/** @param {{cart: Cart, setCart: (cart: Cart) => void, form: ReturnType<typeof useForm>}} props */
export function Items({ cart, setCart, form }) {
  const [known, setKnown] = useState(/** @type {any[]} */ ([]));
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => ask(`/v1/items?${query({ q: asked })}`).then(found => setKnown(found.data), () => {}), asked ? 120 : 0);
    return () => clearTimeout(timer);
  }, [asked]);
  const f = (/** @type {number} */ amount) => money(amount, cart.currency), sum = totals(cart);
  const fits = known.filter(item => item.currency === cart.currency);
  const change = (/** @type {number} */ i, /** @type {Partial<Line>} */ to) => {
    const item = to.name !== undefined && fits.find(item => item.name === to.name);
    if (to.name !== undefined) setAsked(item ? asked : to.name.trim());
    const filled = item ? { ...to, sku: item.sku, price: plainMoney(item.unit_amount, cart.currency), tax: item.tax_rate ? showRate(item.tax_rate) : "" } : to.name !== undefined && cart.lines[i].sku && !item ? { ...to, sku: "" } : to;
    setCart({ ...cart, lines: cart.lines.map((line, at) => at === i ? { ...line, ...filled } : line) });
    form.clear();
  };
  const entry = useRef(/** @type {HTMLElement | null} */ (null));
  const add = () => {
    if (cart.lines.length === 0 || used(cart.lines[cart.lines.length - 1])) setCart({ ...cart, lines: [...cart.lines, blank()] });
    setTimeout(() => [...entry.current?.querySelectorAll(".line") ?? []].at(-1)?.querySelector("input")?.focus());
  };
  // Enter in a line goes on to the next.
  const keys = (/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && /** @type {Element} */ (event.target).matches(".line input")) { event.preventDefault(); add(); } };
  const money_ = (/** @type {string} */ text, /** @type {string} */ pointer) => text && parseMoney(text, cart.currency) === null ? `is written like ${example(cart.currency)}` : form.at(pointer);
  const discount = (/** @type {string} */ text, /** @type {string} */ pointer) => text && discountOf(text, 0, cart.currency) === null ? `is written like ${example(cart.currency)} or 10 %` : form.at(pointer);
  // The server counts the lines that were sent.
  let sent = -1;
  return html`${card("Items", html`<div class="entry" ref=${entry} onKeyDown=${keys}>${cart.lines.map((line, i) => {
    const at = used(line) ? `#/items/${++sent}` : "#/none";
    return html`<div class="line ${i ? "later" : ""}" key=${i} role="group" aria-label="Line ${i + 1}">
      <${Field} label="Item" value=${line.name} onInput=${(/** @type {string} */ name) => change(i, { name })} pointer="${at}/name" fault=${form.at(`${at}/name`) || form.at(`${at}/sku`)} list="known" placeholder="Name of an item" autofocus=${i === 0} />
      <${Field} label="Quantity" value=${line.quantity} onInput=${(/** @type {string} */ quantity) => change(i, { quantity })} pointer="${at}/quantity" fault=${form.at(`${at}/quantity`)} inputmode="numeric" class="num" />
      <${Field} label="Price" value=${line.price} onInput=${(/** @type {string} */ price) => change(i, { price })} pointer="${at}/unit_amount" fault=${money_(line.price, `${at}/unit_amount`)} inputmode="decimal" class="num" />
      <${Field} label="Discount" value=${line.discount} onInput=${(/** @type {string} */ discount) => change(i, { discount })} pointer="${at}/discount_amount" fault=${discount(line.discount, `${at}/discount_amount`)} placeholder="or %" class="num" />
      <${Field} label="Tax" value=${line.tax} onInput=${(/** @type {string} */ tax) => change(i, { tax })} pointer="${at}/tax_rate" fault=${form.at(`${at}/tax_rate`)} inputmode="decimal" class="num" placeholder="%" />
      <span class="num">${used(line) && f(sum.lines[i])}</span>${used(line) && html`<button type="button" class="quiet square" aria-label="Remove line ${i + 1}" onClick=${() => setCart({ ...cart, lines: cart.lines.length > 1 ? cart.lines.filter((_, at) => at !== i) : [blank()] })}>${icon("close")}</button>`}</div>`;
  })}<div><button type="button" onClick=${add}>${icon("plus")} Add an item</button></div></div><datalist id="known">${fits.map(item => html`<option value=${item.name}>${item.sku} · ${f(item.unit_amount)}</option>`)}</datalist>
  <dl class="totals"><dt>Subtotal</dt><dd>${f(sum.subtotal)}</dd>${sum.discount > 0 && html`<dt>Discount</dt><dd>−${f(sum.discount)}</dd>`}${sum.fee > 0 && html`<dt>Fees</dt><dd>${f(sum.fee)}</dd>`}<dt>${cart.included ? "Of it tax" : "Tax"}</dt><dd>${f(sum.tax)}</dd><dt class="sum">Total</dt><dd class="sum">${f(sum.total)}</dd></dl>`)}
  ${card("Discount and fees", html`<div class="fields wide"><${Field} label="Order discount" value=${cart.discount} onInput=${(/** @type {string} */ discount) => { setCart({ ...cart, discount }); form.clear(); }} pointer="#/order_discount_amount" fault=${discount(cart.discount, "#/order_discount_amount")} placeholder="${plainMoney(500, cart.currency)} or 10 %" hint="Off the whole order; shared among its lines." />
      <${Field} label="Entered amounts" value=${cart.included ? "yes" : ""} options=${[["", "without tax"], ["yes", "with tax"]]} onInput=${(/** @type {string} */ value) => setCart({ ...cart, included: !!value })} pointer="#/prices_include_tax" fault=${form.at("#/prices_include_tax")} /></div>
    <div class="entry fees">${cart.fees.map((fee, i) => { const to = (/** @type {Partial<Fee>} */ more) => { setCart({ ...cart, fees: cart.fees.map((one, at) => at === i ? { ...one, ...more } : one) }); form.clear(); }; return html`<div class="line ${i ? "later" : ""}" key=${i} role="group" aria-label="Fee ${i + 1}">
      <${Field} label="Fee" value=${fee.name} onInput=${(/** @type {string} */ name) => to({ name })} pointer="#/fees/${i}/name" fault=${form.at(`#/fees/${i}/name`)} placeholder="Shipping" />
      <${Field} label="Fee amount" value=${fee.amount} onInput=${(/** @type {string} */ amount) => to({ amount })} pointer="#/fees/${i}/amount" fault=${money_(fee.amount, `#/fees/${i}/amount`)} inputmode="decimal" class="num" />
      <${Field} label="Fee tax" value=${fee.tax} onInput=${(/** @type {string} */ tax) => to({ tax })} pointer="#/fees/${i}/tax_rate" fault=${form.at(`#/fees/${i}/tax_rate`)} inputmode="decimal" class="num" placeholder="%" />
      <span class="num">${f(sum.fees[i])}</span><button type="button" class="quiet square" aria-label="Remove fee ${i + 1}" onClick=${() => setCart({ ...cart, fees: cart.fees.filter((_, at) => at !== i) })}>${icon("close")}</button></div>`; })}
      <div><button type="button" onClick=${() => setCart({ ...cart, fees: [...cart.fees, { name: cart.fees.length ? "" : "Shipping", amount: "", tax: "" }] })}>${icon("plus")} Add a fee</button></div></div>`)}`;
}
