// @ts-check
// Entering an order, and changing the items of one that is there. Totals are computed while somebody types.
import { html, useEffect, useState } from "../vendor/preact.js";
import { ask, query, send } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useLoad } from "../lib/load.js";
import { example, money, parseMoney, parseRate as readRate, plainMoney, settings, showRate } from "../lib/money.js";
import { price } from "../lib/prices.js";
import { base, go, unsaved } from "../lib/router.js";
import { isCustomer, may } from "../lib/session.js";
import { say } from "../ui/dialog.js";
import { Field, Trouble, submit, useForm, useUnsaved } from "../ui/field.js";
import { icon } from "../ui/icons.js";
import { card, states } from "../ui/parts.js";
import { conflict } from "./steps.js";
/** @typedef {import("../lib/types.d.ts").Order} Order */
/** @typedef {{sku: string, name: string, quantity: string, price: string, discount: string, tax: string}} Line */
/** @typedef {{name: string, amount: string, tax: string}} Fee */
/** @typedef {{currency: string, included: boolean, lines: Line[], fees: Fee[], discount: string, fields: Record<string, string>}} Cart */

const blank = () => ({ sku: "", name: "", quantity: "1", price: "", discount: "", tax: "" });
const used = (/** @type {Line} */ line) => !!(line.name || line.price);
const skuOf = (/** @type {string} */ name) => name.trim().toUpperCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 64) || "ITEM";
const currencyAtStart = () => localStorage.currency ?? "EUR";

/** @param {Order} order @returns {Cart} */
const cartOf = order => {
  const f = (/** @type {number} */ amount) => amount ? plainMoney(amount, order.currency) : "";
  return {
    currency: order.currency, included: order.prices_include_tax, discount: f(order.order_discount_amount), fields: {},
    lines: order.items.map(item => ({ sku: item.sku, name: item.name, quantity: String(item.quantity), price: plainMoney(item.unit_amount, order.currency), discount: f(item.discount_amount), tax: item.tax_rate ? showRate(item.tax_rate) : "" })),
    fees: order.fees.map(fee => ({ name: fee.name, amount: plainMoney(fee.amount, order.currency), tax: fee.tax_rate ? showRate(fee.tax_rate) : "" })),
  };
};

/** The cart as the API takes it. What can't be read stays as it was typed, so that the server names the fault. @param {Cart} cart */
function bodyOf(cart) {
  const amount = (/** @type {string} */ text) => text.trim() === "" ? undefined : parseMoney(text, cart.currency) ?? text;
  const rate = (/** @type {string} */ text) => text.trim() ? readRate(text) : undefined;
  return {
    items: cart.lines.filter(used).map(line => ({ sku: line.sku || skuOf(line.name), name: line.name, quantity: /^\d+$/.test(line.quantity.trim()) ? Number(line.quantity) : line.quantity, unit_amount: amount(line.price), discount_amount: amount(line.discount), tax_rate: rate(line.tax) })),
    fees: cart.fees.filter(fee => fee.name || fee.amount).map(fee => ({ name: fee.name, amount: amount(fee.amount), tax_rate: rate(fee.tax) })),
    order_discount_amount: amount(cart.discount) ?? 0, prices_include_tax: cart.included,
  };
}

/** @param {Cart} cart */
function totals(cart) {
  const n = (/** @type {string} */ text) => parseMoney(text || "0", cart.currency) ?? 0;
  return price(cart.lines.map(line => ({ quantity: Math.max(0, Math.trunc(Number(line.quantity)) || 0), unit: n(line.price), discount: n(line.discount), rate: readRate(line.tax) })),
    cart.fees.map(fee => ({ amount: n(fee.amount), rate: readRate(fee.tax) })), n(cart.discount), cart.included);
}

/** A new order. The key is made when the page opens: however often it is sent, it is one order. */
export function NewOrder() {
  const [cart, setCart] = useState(/** @type {Cart} */ ({ currency: currencyAtStart(), included: localStorage.included === "yes", lines: [blank()], fees: [], discount: "", fields: {} }));
  const [account, setAccount] = useState("");
  const users = useLoad(() => account.includes("@") && may("users:read") ? ask(`/v1/users?${query({ q: account, limit: 8 })}`) : Promise.resolve({ data: [] }), [account]);
  const [draft, setDraft] = useState(false);
  useUnsaved(cart.lines.some(used) || Object.values(cart.fields).some(Boolean));
  useEffect(() => {
    if (!localStorage.currency) ask("/v1/orders?limit=1").then(page => { const currency = page.data[0]?.currency; if (currency) setCart(cart => cart.lines.some(used) ? cart : { ...cart, currency }); }, () => {});
  }, []);
  const { fields } = cart, set = (/** @type {string} */ name) => (/** @type {string} */ value) => setCart({ ...cart, fields: { ...fields, [name]: value } });
  const form = useForm(async key => {
    const customer = Object.fromEntries(["name", "email", "phone", "address"].map(name => [name, fields[name]]).filter(([, value]) => value));
    const owner = users.data?.data.find((/** @type {any} */ user) => user.email === account.trim().toLowerCase());
    // Without an account the order is nobody's; a customer's order is their own.
    const user = isCustomer() ? {} : { user_id: owner?.id ?? null };
    const body = { currency: cart.currency, ...bodyOf(cart), ...user, ...(Object.keys(customer).length ? { customer } : {}), external_ref: fields.external_ref || undefined, note: fields.note || undefined, draft };
    const order = await send("/v1/orders", { method: "POST", key, body });
    localStorage.currency = cart.currency;
    localStorage.included = cart.included ? "yes" : "no";
    unsaved.clear();
    say(order.number ? `Order #${order.number} is placed.` : "The draft is kept.");
    go(`/orders/${order.id}`);
  });
  const sum = totals(cart), label = cart.lines.some(used) ? `Place order · ${money(sum.total, cart.currency)}` : "Place order";
  const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ pointer, more = {}) => html`<${Field} label=${label} value=${fields[name] ?? ""} pointer=${pointer} fault=${form.at(pointer)} onInput=${set(name)} ...${more} />`;
  return html`<form ref=${form.element} onSubmit=${form.submit} onKeyDown=${noEnter}>
    <a class="back" href="${base}/orders">${icon("back")} Orders</a>
    <header class="head"><h1 tabindex="-1">New order</h1><span class="grow"></span>
      ${currencyPick(cart, currency => setCart({ ...cart, currency }))}
      <button disabled=${form.busy} onClick=${() => setDraft(true)}>${form.busy && draft ? "Sending …" : "Keep as draft"}</button>
      <button class="main" disabled=${form.busy} onClick=${() => setDraft(false)}>${form.busy && !draft ? "Sending …" : label}</button></header>
    <${Trouble} form=${form} />
    <div class="columns"><div><${Items} cart=${cart} setCart=${setCart} form=${form} /></div>
      <div>${card("Customer", html`<div class="fields">${field("name", "Name", "#/customer/name")}${field("email", "E-mail", "#/customer/email", { type: "email" })}${field("phone", "Phone", "#/customer/phone", { type: "tel" })}${field("address", "Address", "#/customer/address", { rows: 3 })}
          ${may("users:read") && html`<${Field} label="Account" value=${account} onInput=${setAccount} pointer="#/user_id" fault=${form.at("#/user_id")} list="accounts" type="email" hint="The e-mail address of a user, if they have an account." /><datalist id="accounts">${users.data?.data.map((/** @type {any} */ user) => html`<option value=${user.email}>${user.name}</option>`)}</datalist>`}</div>`)}
        ${card("More", html`<div class="fields">${field("external_ref", "Reference", "#/external_ref")}${field("note", "Note", "#/note", { rows: 2 })}</div>`)}</div></div></form>`;
}

/** Enter in a field goes on to nothing: an order is sent by its button or Ctrl Enter. @param {KeyboardEvent} event */
const noEnter = event => { if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && /** @type {Element} */ (event.target).matches("input")) event.preventDefault(); };

/** @param {Cart} cart @param {(currency: string) => void} choose */
const currencyPick = (cart, choose) => html`<label class="pick">Currency<select value=${cart.currency} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
  ${[...new Set([cart.currency, ...settings.value.currencies.map(one => one.code)])].map(code => html`<option value=${code} selected=${code === cart.currency}>${code}</option>`)}</select></label>`;

/** @param {{cart: Cart, setCart: (cart: Cart) => void, form: ReturnType<typeof useForm>}} props */
function Items({ cart, setCart, form }) {
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
    const lines = cart.lines.map((line, at) => at === i ? { ...line, ...filled } : line);
    setCart({ ...cart, lines: used(lines[lines.length - 1]) ? [...lines, blank()] : lines });
    form.clear();
  };
  const money_ = (/** @type {string} */ text, /** @type {string} */ pointer) => text && parseMoney(text, cart.currency) === null ? `is written like ${example(cart.currency)}` : form.at(pointer);
  // The server counts the lines that were sent.
  let sent = -1;
  return html`${card("Items", html`<div class="entry">${cart.lines.map((line, i) => {
    const at = used(line) ? `#/items/${++sent}` : "#/none";
    return html`<div class="line ${i ? "later" : ""}" key=${i} role="group" aria-label="Line ${i + 1}">
      <${Field} label="Item" value=${line.name} onInput=${(/** @type {string} */ name) => change(i, { name })} pointer="${at}/name" fault=${form.at(`${at}/name`) || form.at(`${at}/sku`)} list="known" placeholder="Name of an item" autofocus=${i === 0} />
      <${Field} label="Quantity" value=${line.quantity} onInput=${(/** @type {string} */ quantity) => change(i, { quantity })} pointer="${at}/quantity" fault=${form.at(`${at}/quantity`)} inputmode="numeric" class="num" />
      <${Field} label="Price" value=${line.price} onInput=${(/** @type {string} */ price) => change(i, { price })} pointer="${at}/unit_amount" fault=${money_(line.price, `${at}/unit_amount`)} inputmode="decimal" class="num" />
      <${Field} label="Discount" value=${line.discount} onInput=${(/** @type {string} */ discount) => change(i, { discount })} pointer="${at}/discount_amount" fault=${money_(line.discount, `${at}/discount_amount`)} inputmode="decimal" class="num" />
      <${Field} label="Tax" value=${line.tax} onInput=${(/** @type {string} */ tax) => change(i, { tax })} pointer="${at}/tax_rate" fault=${form.at(`${at}/tax_rate`)} inputmode="decimal" class="num" placeholder="%" />
      <span class="num">${used(line) && f(sum.lines[i])}</span>${used(line) && html`<button type="button" class="quiet square" aria-label="Remove line ${i + 1}" onClick=${() => setCart({ ...cart, lines: cart.lines.filter((_, at) => at !== i) })}>${icon("close")}</button>`}</div>`;
  })}</div><datalist id="known">${fits.map(item => html`<option value=${item.name}>${item.sku} · ${f(item.unit_amount)}</option>`)}</datalist>
  <dl class="totals"><dt>Subtotal</dt><dd>${f(sum.subtotal)}</dd>${sum.discount > 0 && html`<dt>Discount</dt><dd>−${f(sum.discount)}</dd>`}${sum.fee > 0 && html`<dt>Fees</dt><dd>${f(sum.fee)}</dd>`}<dt>${cart.included ? "Of it tax" : "Tax"}</dt><dd>${f(sum.tax)}</dd><dt class="sum">Total</dt><dd class="sum">${f(sum.total)}</dd></dl>`)}
  ${card("Discount and fees", html`<div class="fields wide"><${Field} label="Order discount" value=${cart.discount} onInput=${(/** @type {string} */ discount) => { setCart({ ...cart, discount }); form.clear(); }} pointer="#/order_discount_amount" fault=${money_(cart.discount, "#/order_discount_amount")} inputmode="decimal" hint="Off the whole order; shared among its lines." />
      <${Field} label="Entered amounts" value=${cart.included ? "yes" : ""} options=${[["", "without tax"], ["yes", "with tax"]]} onInput=${(/** @type {string} */ value) => setCart({ ...cart, included: !!value })} pointer="#/prices_include_tax" fault=${form.at("#/prices_include_tax")} /></div>
    <div class="entry fees">${cart.fees.map((fee, i) => { const to = (/** @type {Partial<Fee>} */ more) => { setCart({ ...cart, fees: cart.fees.map((one, at) => at === i ? { ...one, ...more } : one) }); form.clear(); }; return html`<div class="line ${i ? "later" : ""}" key=${i} role="group" aria-label="Fee ${i + 1}">
      <${Field} label="Fee" value=${fee.name} onInput=${(/** @type {string} */ name) => to({ name })} pointer="#/fees/${i}/name" fault=${form.at(`#/fees/${i}/name`)} placeholder="Shipping" />
      <${Field} label="Fee amount" value=${fee.amount} onInput=${(/** @type {string} */ amount) => to({ amount })} pointer="#/fees/${i}/amount" fault=${money_(fee.amount, `#/fees/${i}/amount`)} inputmode="decimal" class="num" />
      <${Field} label="Fee tax" value=${fee.tax} onInput=${(/** @type {string} */ tax) => to({ tax })} pointer="#/fees/${i}/tax_rate" fault=${form.at(`#/fees/${i}/tax_rate`)} inputmode="decimal" class="num" placeholder="%" />
      <span class="num">${f(sum.fees[i])}</span><button type="button" class="quiet square" aria-label="Remove fee ${i + 1}" onClick=${() => setCart({ ...cart, fees: cart.fees.filter((_, at) => at !== i) })}>${icon("close")}</button></div>`; })}
      <div><button type="button" onClick=${() => setCart({ ...cart, fees: [...cart.fees, { name: cart.fees.length ? "" : "Shipping", amount: "", tax: "" }] })}>${icon("plus")} Add a fee</button></div></div>`)}`;
}

/** Changing the items of an order. @param {{id: string}} props */
export function ChangeItems({ id }) {
  const order = useLoad(() => ask(`/v1/orders/${id}`), [id]);
  return states(order, 10, order => html`<${ChangeForm} order=${order} key=${order.version} reload=${async () => {}} />`);
}

/** @param {{order: Order, reload: () => Promise<void>}} props */
function ChangeForm({ order, reload }) {
  const [cart, setCart] = useState(() => ({ ...cartOf(order), lines: [...cartOf(order).lines, blank()] }));
  const changed = JSON.stringify(bodyOf(cart)) !== JSON.stringify(bodyOf(cartOf(order)));
  useUnsaved(changed);
  const put = async (/** @type {number} */ version, /** @type {string} */ key) => {
    await send(`/v1/orders/${order.id}`, { method: "PATCH", version, key, body: bodyOf(cart) });
    unsaved.clear();
    say("The items are saved.");
    go(`/orders/${order.id}`);
  };
  const form = useForm(async key => {
    try {
      await put(order.version, key);
    } catch (problem) {
      if (/** @type {any} */ (problem).status !== 412) throw problem;
      const list = (/** @type {any} */ one) => one.items.map((/** @type {any} */ item) => `${item.quantity} × ${item.name}`).join(", ");
      await conflict(order, [["Items", list(order), list(bodyOf(cart))]], version => put(version, key).catch(again => say(again.message, "bad")), reload, list);
    }
  });
  return html`<form ref=${form.element} onSubmit=${form.submit} onKeyDown=${noEnter}><a class="back" href="${base}/orders/${order.id}">${icon("back")} ${order.number ? `#${order.number}` : "Draft"}</a>
    <header class="head"><h1 tabindex="-1">Items of ${order.number ? `#${order.number}` : "the draft"}</h1><span class="faint">${format.words(order.status)}</span><span class="grow"></span><a class="button" href="${base}/orders/${order.id}">Back</a>${submit(form, "Save", "main", !changed)}</header>
    <${Trouble} form=${form} /><${Items} cart=${cart} setCart=${setCart} form=${form} /></form>`;
}
