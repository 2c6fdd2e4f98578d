// Entering an order, and changing the items of one that is there.
import { html, useEffect, useState } from "../vendor/preact.js";
import { Problem, ask, query, send } from "../lib/api.js";
import { blank, bodyOf, cartOf, totals, used } from "../lib/cart.js";
import * as format from "../lib/format.js";
import { useLoad } from "../lib/load.js";
import { money, settings } from "../lib/money.js";
import { base, go, unsaved } from "../lib/router.js";
import { may } from "../lib/session.js";
import { say } from "../ui/dialog.js";
import { Field, Trouble, submit, useForm, useUnsaved } from "../ui/field.js";
import { icon } from "../ui/icons.js";
import { card, states } from "../ui/parts.js";
import { Items } from "./order-items.js";
import { conflict } from "./steps.js";
/** @typedef {import("../lib/cart.js").Cart} Cart */

const currencyAtStart = () => localStorage.currency ?? "EUR";

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
    const user_id = account.trim() ? await accountOf(account.trim()) : null;
    const body = { currency: cart.currency, ...bodyOf(cart), user_id, ...(Object.keys(customer).length ? { customer } : {}), external_ref: fields.external_ref || undefined, note: fields.note || undefined, draft };
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
      <div class="deeds"><button disabled=${form.busy} onClick=${() => setDraft(true)}>${form.busy && draft ? "Sending …" : "Keep as draft"}</button>
      <button class="main" disabled=${form.busy} onClick=${() => setDraft(false)}>${form.busy && !draft ? "Sending …" : label}</button></div></header>
    <${Trouble} form=${form} />
    <div class="columns"><div><${Items} cart=${cart} setCart=${setCart} form=${form} /></div>
      <div>${card("Customer", html`<div class="fields">${field("name", "Name", "#/customer/name")}${field("email", "E-mail", "#/customer/email", { type: "email" })}${field("phone", "Phone", "#/customer/phone", { type: "tel" })}${field("address", "Address", "#/customer/address", { rows: 3 })}
          ${may("users:read") && html`<${Field} label="Account" value=${account} onInput=${setAccount} pointer="#/user_id" fault=${form.at("#/user_id")} list="accounts" type="email" hint="The e-mail address of a user. Leave it empty if the customer has no account." /><datalist id="accounts">${users.data?.data.map((/** @type {any} */ user) => html`<option value=${user.email}>${user.name}</option>`)}</datalist>`}</div>`)}
        ${card("More", html`<div class="fields">${field("external_ref", "Reference", "#/external_ref")}${field("note", "Note", "#/note", { rows: 2 })}</div>`)}</div></div></form>`;
}

/** The user with this address; an unknown one is a fault of its field. @param {string} email */
async function accountOf(email) {
  const found = (await ask(`/v1/users?${query({ email })}`)).data[0];
  if (found) return found.id;
  throw new Problem({ type: "about:blank", title: "Nobody has this account", status: 422, code: "unknown_account", detail: "", request_id: "", retryable: false, errors: [{ pointer: "#/user_id", code: "unknown", detail: "must be the e-mail address of a user" }] });
}

/** Enter in a field goes on to nothing: an order is sent by its button or Ctrl Enter. @param {KeyboardEvent} event */
const noEnter = event => { if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && /** @type {Element} */ (event.target).matches("input")) event.preventDefault(); };

/** @param {Cart} cart @param {(currency: string) => void} choose */
const currencyPick = (cart, choose) => html`<label class="pick">Currency<select value=${cart.currency} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
  ${[...new Set([cart.currency, ...settings.value.currencies.map(one => one.code)])].map(code => html`<option value=${code} selected=${code === cart.currency}>${code}</option>`)}</select></label>`;

/** Changing the items of an order. @param {{id: string}} props */
export function ChangeItems({ id }) {
  const order = useLoad(() => ask(`/v1/orders/${id}`), [id]);
  return states(order, 10, order => html`<${ChangeForm} order=${order} key=${order.version} reload=${async () => {}} />`);
}

/** @param {{order: Order, reload: () => Promise<void>}} props */
function ChangeForm({ order, reload }) {
  const [cart, setCart] = useState(() => cartOf(order));
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
    <header class="head"><h1 tabindex="-1">Items of ${order.number ? `#${order.number}` : "the draft"}</h1><span class="faint">${format.words(order.status)}</span><span class="grow"></span><div class="deeds"><a class="button" href="${base}/orders/${order.id}">Back</a>${submit(form, "Save", "main", !changed)}</div></header>
    <${Trouble} form=${form} /><${Items} cart=${cart} setCart=${setCart} form=${form} /></form>`;
}
