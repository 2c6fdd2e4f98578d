// The search dialog finds orders, users and places. The help dialog lists the keys.
import { html, useEffect, useState } from "../vendor/preact.js";
import { ask, query } from "../lib/api.js";
import { singleKeys, useSingleKeys } from "../lib/keys.js";
import { menu } from "../lib/menu.js";
import { money } from "../lib/money.js";
import { go } from "../lib/router.js";
import { isCustomer, may } from "../lib/session.js";
import { close, frame, open } from "./dialog.js";
import { tick } from "./field.js";
import { icon } from "./icons.js";
import { badge } from "./parts.js";

/** @typedef {{to: string, text: any}} Row */
const TYPING_MS = 120, MOST = 8;

/** Everywhere that a name leads to. @returns {{name: string, to: string}[]} */
const actions = () => [
  ...(may("orders:transition") ? [{ name: "Orders to confirm", to: "/orders?status=pending" }, { name: "Orders to fulfil", to: "/orders?status=confirmed" }] : []),
  ...(may("orders:create", "orders:create_own") ? [{ name: "New order", to: "/orders/new" }] : []),
  ...menu().map(({ name, to }) => ({ name, to })),
  { name: "Your account", to: "/account" },
];

function Palette() {
  const [text, setText] = useState("");
  const [found, setFound] = useState(/** @type {Row[]} */ ([]));
  const [at, setAt] = useState(0);
  useEffect(() => {
    const q = text.trim().replace(/^#/, "");
    if (!q) return setFound([]);
    const stop = new AbortController();
    const find = () => {
      const orders = may("orders:read") || isCustomer() ? ask(`/v1/orders?${query({ q, limit: MOST })}`, { signal: stop.signal }) : { data: [] };
      const users = may("users:read") ? ask(`/v1/users?${query({ q, limit: 4 })}`, { signal: stop.signal }).catch(() => ({ data: [] })) : { data: [] };
      return Promise.all([orders, users]).then(([orders, users]) => setFound([
        ...orders.data.map((/** @type {Order} */ order) => ({ to: `/orders/${order.id}`, text: html`<b>${order.number ? `#${order.number}` : "Draft"}</b><span class="grow">${order.customer?.name ?? "–"} <small>${order.items[0]?.name}</small></span>${badge(order.status)}<span class="num">${money(order.total_amount, order.currency)}</span>` })),
        ...users.data.map((/** @type {User} */ user) => ({ to: `/users/${user.id}`, text: html`${icon("people")}<span class="grow">${user.name} <small>${user.email}</small></span>` })),
      ]));
    };
    const timer = setTimeout(() => find().catch(() => {}), TYPING_MS);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [text]);
  const rows = [...found, ...actions().filter(({ name }) => name.toLowerCase().includes(text.trim().toLowerCase())).map(({ name, to }) => ({ to, text: html`${icon("next")}<span class="grow">${name}</span>` }))];
  const choose = (/** @type {number} */ i) => { if (rows[i]) { close(); go(rows[i].to); } };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); setAt((at + step + rows.length) % rows.length); }
    if (event.key === "Enter") { event.preventDefault(); choose(at); }
  };
  return html`<div class="palette"><h2 class="unseen" id="dialog-title">Find</h2>
    <label>${icon("search")}<input autofocus role="combobox" aria-expanded="true" aria-controls="found" aria-autocomplete="list" aria-activedescendant=${rows.length ? `found-${at}` : undefined} aria-label="Find" autocomplete="off"
      placeholder="Order number, name, e-mail, reference, item …" value=${text} onInput=${(/** @type {any} */ event) => { setText(event.target.value); setAt(0); }} onKeyDown=${keys} /><kbd>Esc</kbd></label>
    ${rows.length > 0 ? html`<ul id="found" role="listbox" aria-label="Found" tabindex="-1">${rows.map((row, i) => html`<li id="found-${i}" role="option" aria-selected=${i === at} onClick=${() => choose(i)} onPointerMove=${() => setAt(i)}>${row.text}</li>`)}</ul>`
      : html`<p id="found" class="none">Nothing has “${text}” in it.</p>`}</div>`;
}
export const openPalette = () => open(html`<${Palette} />`);

const KEYS = [["/ or Ctrl K", "Find"], ["g h, g o, g p, g a", "Go to the start, orders, payments, analytics"], ["n", "New order"], ["j, k", "Next, previous row"], ["x", "Choose the row"], ["Enter", "Open the row"],
  ["e", "Edit"], ["r", "Refund"], ["Ctrl Enter", "Send the form"], ["Esc", "Close"], ["?", "This list"]];
/** @returns {any} */
function Keys() {
  return frame("Keys", html`<div class="form"><dl class="facts">${KEYS.map(([keys, what]) => html`<dt><kbd>${keys}</kbd></dt><dd>${what}</dd>`)}</dl>
    ${tick({ label: "Single keys act", checked: singleKeys.value, onChange: useSingleKeys })}<p class="hint">They never act while you type. Ctrl K and Ctrl Enter always do.</p></div>`);
}
export const showKeys = () => open(html`<${Keys} />`);
