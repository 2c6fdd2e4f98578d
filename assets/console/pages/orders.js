// The list of orders. The address holds the view, the filters and the sort.
import { html, useEffect, useState } from "../vendor/preact.js";
import { query } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useKeys } from "../lib/keys.js";
import { head as newest, latest } from "../lib/live.js";
import { useList } from "../lib/load.js";
import { money, settings } from "../lib/money.js";
import { base, change, go, here } from "../lib/router.js";
import { isCustomer, may } from "../lib/session.js";
import { savedViews, saveView } from "../lib/views.js";
import { exports } from "../ui/exports.js";
import { icon } from "../ui/icons.js";
import { badge, empty, failed, head, pick, tail, typed, waiting, when } from "../ui/parts.js";
import { BulkBar } from "./bulk.js";

/** @type {[string, Record<string, string>][]} */
const VIEWS = [["All", {}], ["To confirm", { status: "pending" }], ["To fulfil", { status: "confirmed" }], ["Unpaid", { status: "pending,confirmed,fulfilled", payment_status: "unpaid,partially_paid" }], ["Cancelled", { status: "cancelled" }]];
const STATUSES = ["draft", "pending", "confirmed", "fulfilled", "cancelled"];
const PAYMENTS = ["unpaid", "partially_paid", "paid", "overpaid", "partially_refunded", "refunded"];
/** @type {[string, string][]} */
const SORTS = [["", "Newest"], ["created_at", "Oldest"], ["-total_amount", "Highest total"], ["total_amount", "Lowest total"], ["-updated_at", "Last changed"], ["-placed_at", "Last placed"]];
const TYPING_MS = 200;
/** Parameters of the address that the list does not take itself. */
const DATES = /** @type {const} */ ({ from: "placed_from", to: "placed_to" });

/** Days that are asked for often. @returns {[string, string, string][]} */
const ranges = () => {
  const [start, end] = format.lastMonth();
  return [["Last 7 days", format.today(6), ""], ["This month", format.addDays(end, 1), ""], ["Last month", start, end], ["Over a week ago", "", format.today(8)]];
};

/** The filter of the address as the API takes it: whole days become times. @param {URLSearchParams} address */
export function apiFilter(address) {
  const to = new URLSearchParams(address);
  for (const [name, parameter] of Object.entries(DATES)) {
    const date = to.get(name);
    to.delete(name);
    if (date) to.set(parameter, new Date((name === "to" ? format.addDays(date, 1) : date) + "T00:00:00").toISOString());
  }
  return to.toString();
}

export function Orders() {
  const address = here.value.query, filter = apiFilter(address);
  const loaded = useList(`/v1/orders${filter && "?" + filter}`, { live: true }), { list, problem, reload, replace } = loaded;
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  const [failures, setFailures] = useState(/** @type {Map<string, string>} */ (new Map()));
  const [at, setAt] = useState(-1);
  useEffect(() => { setChosen(new Set()); setFailures(new Map()); setAt(-1); }, [filter]);
  useEffect(() => { document.querySelector("tr.here")?.scrollIntoView({ block: "nearest" }); }, [at]);
  const rows = /** @type {Order[]} */ (list?.rows ?? []);
  const mayStep = may("orders:transition");
  const toggle = (/** @type {string} */ id) => { const to = new Set(chosen); to.delete(id) || to.add(id); setChosen(to); };
  useKeys({
    j: () => setAt(Math.min(rows.length - 1, at + 1)), k: () => setAt(Math.max(0, at - 1)),
    ...(rows[at] ? { Enter: () => go(`/orders/${rows[at].id}`), ...(mayStep ? { x: () => toggle(rows[at].id) } : {}) } : {}),
  });
  const fresh = list?.since === undefined ? 0 : latest.value.filter(event => event.seq > /** @type {number} */ (list.since)).length;
  const news = list?.since !== undefined && newest.value !== undefined && newest.value > list.since ? Math.max(fresh, 1) : 0;
  const isFiltered = [...address.keys()].some(name => name !== "sort");
  return html`
    ${head(isCustomer() ? "My orders" : "Orders", html`
      ${exports("/v1/orders", filter)}
      ${may("orders:create") && html`<a class="button ondesk" href="${base}/orders/import">${icon("upload")} Import</a>`}
      ${may("orders:create", "orders:create_own") && html`<a class="button main" href="${base}/orders/new">${icon("plus")} New order</a>`}`)}
    <${Views} /><${Filters} total=${list?.total} />
    ${news > 0 && html`<button class="news" onClick=${() => { reload(); scrollTo(0, 0); }}>${news} ${news === 1 ? "change" : "changes"}. Show</button>`}
    ${!list ? problem ? failed(problem, reload) : waiting(12)
      : !rows.length ? isFiltered ? empty("No order is like this", "Take a filter away, or look for something else.", html`<a class="button" href="${base}/orders">All orders</a>`)
        : empty("No orders yet", "Orders that are placed here or through the API stand in this list.", may("orders:create", "orders:create_own") && html`<a class="button main" href="${base}/orders/new">New order</a>`)
      : html`<table class="list" role="table"><thead role="rowgroup"><tr role="row">${mayStep && html`<th role="columnheader" class="tick"><label><input type="checkbox" aria-label="Choose all that are shown" checked=${chosen.size > 0 && chosen.size === rows.length} onChange=${(/** @type {any} */ event) => setChosen(new Set(event.target.checked ? rows.map(order => order.id) : []))} /></label></th>`}
          <th role="columnheader" class="no">Order</th><th role="columnheader" class="wide">Customer</th><th role="columnheader" class="st">Status</th><th role="columnheader" class="pay">Payment</th><th role="columnheader" class="num tot">Total</th><th role="columnheader" class="num on">Placed</th></tr></thead>
        ${bodies(rows.map((order, i) => line(order, i === at, mayStep ? chosen.has(order.id) : null, failures.get(order.id) ?? "", toggle)))}</table>
      ${tail(loaded)}`}
    ${chosen.size > 0 && html`<${BulkBar} orders=${rows.filter(order => chosen.has(order.id))} onChange=${replace} onDone=${(/** @type {Map<string, string>} */ failed) => { setFailures(failed); setChosen(new Set(failed.keys())); }} onClear=${() => setChosen(new Set())} />`}`;
}

function Views() {
  const present = new URLSearchParams([...here.value.query].filter(([name]) => name !== "sort").sort()).toString();
  const normal = (/** @type {string} */ text) => new URLSearchParams([...new URLSearchParams(text)].filter(([name]) => name !== "sort").sort()).toString();
  const views = [...VIEWS.filter(([name]) => !isCustomer() || name === "All" || name === "Cancelled").map(([name, filter]) => /** @type {[string, string]} */ ([name, query(filter)])), ...savedViews.value];
  const known = views.some(([, to]) => normal(to) === present);
  const keep = () => { const name = prompt("Name of this view")?.trim(); if (name) saveView(name, here.value.query.toString()); };
  const isSaved = savedViews.value.find(([, to]) => normal(to) === present);
  return html`<nav class="tabs" aria-label="Views">${views.map(([name, to]) => html`<a href="${base}/orders${to && "?" + to}" aria-current=${normal(to) === present ? "page" : undefined}>${name}</a>`)}
    ${!known && html`<button class="quiet" onClick=${keep}>Save view</button>`}${isSaved && html`<button class="quiet" onClick=${() => saveView(isSaved[0], null)}>Remove view</button>`}</nav>`;
}

/** @param {{total: number | undefined}} props */
function Filters({ total }) {
  const address = here.value.query, q = address.get("q") ?? "";
  const [text, setText] = useState(q);
  useEffect(() => setText(q), [q]);
  useEffect(() => {
    if (text === q) return;
    const timer = setTimeout(() => change({ q: text }, { replace: true }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const currencies = settings.value.currencies.map(one => one.code);
  return html`<div class="filters">
    <label class="search">${icon("search")}<input type="search" placeholder="Number, name, e-mail, item …" aria-label="Search orders" value=${text} onInput=${typed(setText)} /></label>
    <${Choose} name="status" options=${STATUSES} /><${Choose} name="payment_status" options=${PAYMENTS} />
    <${Choose} name="placed" on=${[address.get("from"), address.get("to")].filter(Boolean).join(" – ")}><label>From <input type="date" value=${address.get("from") ?? ""} onChange=${typed(to => change({ from: to }))} /></label><label>To <input type="date" value=${address.get("to") ?? ""} onChange=${typed(to => change({ to: to }))} /></label>
      ${ranges().map(([name, from, to]) => html`<button class="quiet" onClick=${(/** @type {any} */ event) => { event.target.closest("details").open = false; change({ from, to }); }}>${name}</button>`)}</${Choose}>
    ${pick("Currency", address.get("currency") ?? "", [["", "Any"], ...currencies.map(code => /** @type {[string, string]} */ ([code, code]))], to => change({ currency: to }))}
    ${pick("Sort", address.get("sort") ?? "", SORTS, to => change({ sort: to }))}
    ${[...address].filter(([name]) => ["sku", "user_id", "customer_email", "external_ref"].includes(name)).map(([name, value]) => html`<button onClick=${() => change({ [name]: "" })} aria-label="Remove the filter ${name} ${value}">${format.words(name)}: ${value.slice(0, 24)} ${icon("close")}</button>`)}
    <span class="grow"></span><span class="faint" role="status">${total !== undefined && format.some(total, "order")}</span></div>`;
}

/** A filter of several values, as a disclosure with boxes. @param {{name: string, options?: string[], on?: string, children?: any}} props */
function Choose({ name, options = [], on, children }) {
  const chosen = new Set((here.value.query.get(name) ?? "").split(",").filter(Boolean));
  const flip = (/** @type {string} */ option) => { chosen.delete(option) || chosen.add(option); change({ [name]: [...chosen].join(",") }); };
  const says = on ?? [...chosen].map(format.words).join(", ");
  return html`<details class="choose ${says ? "on" : ""}" name="filter" onKeyDown=${(/** @type {any} */ event) => { if (event.key === "Escape") event.currentTarget.open = false; }}><summary>${format.words(name)}${says && html`: <b>${says}</b>`}</summary>
    <div>${children}${options.map(option => html`<label><input type="checkbox" checked=${chosen.has(option)} onChange=${() => flip(option)} /> ${badge(option)}</label>`)}
      ${says && html`<button class="quiet" onClick=${() => change(on === undefined ? { [name]: "" } : { from: "", to: "" })}>Clear</button>`}</div></details>`;
}

/** Rows as they were made last: what has not changed is not rendered again. @type {WeakMap<Order, {as: string, row: any}>} */
const made = new WeakMap();
/** @param {Order} order @param {boolean} isHere @param {boolean | null} isChosen null: rows can't be chosen @param {string} failure @param {(id: string) => void} toggle */
function line(order, isHere, isChosen, failure, toggle) {
  const as = `${isHere} ${isChosen} ${failure}`, known = made.get(order);
  if (known?.as === as) return known.row;
  const number = order.number ? `#${order.number}` : "Draft";
  const row = html`<tr role="row" key=${order.id} class="${isHere ? "here" : ""} ${isChosen ? "chosen" : ""} ${failure ? "failed" : ""}" onClick=${(/** @type {any} */ event) => event.target.closest("a, input, label") || getSelection()?.toString() || go(`/orders/${order.id}`)}>
    ${isChosen !== null && html`<td role="cell" class="tick"><label><input type="checkbox" aria-label="Choose order ${number}" checked=${isChosen} onChange=${() => toggleLast(order.id)} /></label></td>`}
    <td role="cell" class="no"><a href="${base}/orders/${order.id}">${number}</a></td>
    <td role="cell" class="wide"><b>${order.customer?.name ?? "–"}</b> <small>${order.items[0]?.name}${order.items.length > 1 ? ` + ${order.items.length - 1}` : ""}</small>${failure && html`<small class="under fault" role="alert">${failure}</small>`}</td>
    <td role="cell" class="st">${badge(order.status)}</td><td role="cell" class="pay">${badge(order.payment_status)}</td>
    <td role="cell" class="num tot">${money(order.total_amount, order.currency)}</td><td role="cell" class="num on">${when(order.placed_at ?? order.created_at)}</td></tr>`;
  toggleLast = toggle;
  made.set(order, { as, row });
  return row;
}
/** Bodies of the table as they were made last, of a few rows each: one of unchanged rows is not looked through again. @type {{rows: any[], body: any}[]} */
const kept = [];
const ROWS = 25;
/** @param {any[]} rows */
function bodies(rows) {
  const all = [];
  for (let at = 0; at < rows.length; at += ROWS) {
    const mine = rows.slice(at, at + ROWS), i = at / ROWS, known = kept[i];
    if (!known || known.rows.length !== mine.length || mine.some((row, n) => row !== known.rows[n])) kept[i] = { rows: mine, body: html`<tbody key=${i} role="rowgroup" style=${{ "--rows": mine.length }}>${mine}</tbody>` };
    all.push(kept[i].body);
  }
  return all;
}
/** The list's present way to choose a row; kept rows would call an old one. */
let toggleLast = /** @type {(id: string) => void} */ (() => {});
