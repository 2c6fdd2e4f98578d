// The reports: for a range, a zone, a currency; as a table, a chart or a file.
import { html } from "../vendor/preact.js";
import { ask, query, root } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useList, useLoad } from "../lib/load.js";
import { money, settings, showRate } from "../lib/money.js";
import { base, change, here } from "../lib/router.js";
import { may } from "../lib/session.js";
import { DailyChart, sum } from "../ui/chart.js";
import { OF_REPORTS, exports } from "../ui/exports.js";
import { badge, choice, empty, head, pick, sheet, states, typed } from "../ui/parts.js";
import { topItems } from "./home.js";

/** @type {[string, string, string][]} the address, the name, the parameters that it takes */
const REPORTS = [["daily", "By day", "basis"], ["revenue-by-user", "By user", "basis sort"], ["status-counts", "Status", ""], ["top-items", "Top items", ""], ["taxes", "Taxes", ""]];
const BASES = /** @type {[string, string][]} */ ([["cash", "Cash"], ["booked", "Booked"]]);
const EXPLAINED = {
  cash: "Cash: money that came in and went back, on the day that it moved. A refund today changes no earlier day.",
  booked: "Booked: totals of the orders on the day that they were placed, less credits and cancellations on the day of those.",
};
/** @type {[string, number][]} */
const RANGES = [["7 days", 7], ["30 days", 30], ["90 days", 90], ["A year", 365]];
const SORTS = /** @type {[string, string][]} */ ([["-net_amount", "Highest net"], ["net_amount", "Lowest net"], ["-gross_amount", "Highest gross"], ["-orders", "Most orders"]]);
/** @returns {string[]} */
const zones = () => [...new Set([settings.value.reporting_timezone, format.zone.value, ...Intl.supportedValuesOf("timeZone")])];

export function Analytics() {
  const address = here.value.query;
  const [report, , takes] = REPORTS.find(([name]) => name === address.get("report")) ?? REPORTS[0];
  const basis = address.get("basis") === "booked" ? "booked" : "cash";
  const from = address.get("from") ?? format.today(29), to = address.get("to") ?? format.today();
  const parameters = query({ from, to, tz: address.get("tz"), currency: address.get("currency"), ...(takes.includes("basis") ? { basis } : {}), ...(takes.includes("sort") ? { sort: address.get("sort") } : {}) });
  const path = `/v1/analytics/${report}`;
  const set = (/** @type {string} */ name) => typed(to => change({ [name]: to }));
  const [start, end] = format.lastMonth(), ranges = /** @type {[string, string, string][]} */ ([...RANGES.map(([name, days]) => [name, format.today(days - 1), format.today()]), ["Last month", start, end]]);
  const range = ranges.find(([, first, last]) => from === first && to === last);
  return html`${head("Analytics", exports(path, parameters, OF_REPORTS))}
    <nav class="tabs" aria-label="Reports">${REPORTS.map(([name, title]) => html`<a href="${base}/analytics?${query({ ...Object.fromEntries(address), report: name })}" aria-current=${name === report ? "page" : undefined}>${title}</a>`)}</nav>
    <div class="filters">${choice("Range", ranges.map(([name]) => [name, name]), range?.[0] ?? "", name => { const [, first, last] = ranges.find(([one]) => one === name) ?? ranges[0]; change({ from: first, to: last === format.today() ? "" : last }); })}
      <label class="pick">From <input type="date" value=${from} max=${to} onChange=${set("from")} /></label><label class="pick">To <input type="date" value=${to} min=${from} onChange=${set("to")} /></label>
      ${pick("Currency", address.get("currency") ?? "", [["", "All"], ...settings.value.currencies.map(one => /** @type {[string, string]} */ ([one.code, one.code]))], to => change({ currency: to }))}
      ${pick("Zone", address.get("tz") ?? "", [["", settings.value.reporting_timezone], ...zones().slice(1).map(zone => /** @type {[string, string]} */ ([zone, zone]))], to => change({ tz: to }))}
      ${takes.includes("basis") && choice("Basis", BASES, basis, to => change({ basis: to }))}
      ${takes.includes("sort") && pick("Sort", address.get("sort") ?? "-net_amount", SORTS, to => change({ sort: to }))}</div>
    ${takes.includes("basis") && html`<p class="tell">${EXPLAINED[basis]}</p>`}
    ${report === "revenue-by-user" ? html`<${ByUser} path="${path}?${parameters}" key=${parameters} />` : html`<${Report} name=${report} path="${path}?${parameters}" basis=${basis} key=${report} />`}
    <p class="faint">Amounts are exact and current. Currencies are never added. <a href="${root}/guide" target="_blank" rel="noopener">How they are computed</a></p>`;
}

/** Rows of each currency by themselves. @param {any[]} rows @returns {[string, any[]][]} */
const byCurrency = rows => [...new Set(rows.map(row => row.currency))].sort().map(currency => [currency, rows.filter(row => row.currency === currency)]);
const none = () => empty("No data for this period", "Take another range or currency.");

/** @param {{name: string, path: string, basis: string}} props */
function Report({ name, path, basis }) {
  const report = useLoad(() => ask(path).then(answer => /** @type {any[]} */ (answer.data)), [path]);
  return states(report, 8, rows => !rows.length ? none() : byCurrency(rows).map(([currency, rows]) => html`<section class="card" key=${currency}><header><h2>${currency}</h2></header>${
    name === "daily" ? html`<${DailyChart} days=${rows} currency=${currency} basis=${basis} />` : name === "top-items" ? topItems(rows) : name === "taxes" ? taxes(rows, currency) : statuses(rows, currency)}</section>`));
}

/** @param {any[]} rows @param {string} currency */
const statuses = (rows, currency) => html`<table><thead><tr><th>Status</th><th>Payment</th><th class="num">Orders</th><th class="num">Total</th></tr></thead><tbody>${rows.map(row => html`<tr><td>${badge(row.status)}</td><td>${badge(row.payment_status)}</td>
  <td class="num"><a href="${base}/orders?${query({ status: row.status, payment_status: row.payment_status, currency })}">${format.count(row.orders)}</a></td><td class="num">${money(row.total_amount, currency)}</td></tr>`)}</tbody></table>`;

/** @param {any[]} rows @param {string} currency */
const taxes = (rows, currency) => html`<table><thead><tr><th>Rate</th><th class="num">Net</th><th class="num">Tax</th></tr></thead><tbody>${rows.map(row => html`<tr><td>${row.tax_rate === null ? "No rate" : `${showRate(row.tax_rate)} %`}</td><td class="num">${money(row.net_amount, currency)}</td><td class="num">${money(row.tax_amount, currency)}</td></tr>`)}
  <tr><td><b>Together</b></td><td class="num"><b>${money(sum(rows, row => row.net_amount), currency)}</b></td><td class="num"><b>${money(sum(rows, row => row.tax_amount), currency)}</b></td></tr></tbody></table>`;

/** @param {{path: string}} props */
function ByUser({ path }) {
  const loaded = useList(path, { count: false });
  const f = (/** @type {number} */ amount, /** @type {any} */ row) => money(amount, row.currency);
  return html`${sheet(loaded, none(),
      html`<th>User</th><th>Currency</th><th class="num">Orders</th><th class="num">Gross</th><th class="num">Refunded or credited</th><th class="num">Net</th>`,
      row => html`<tr key="${row.user_id} ${row.currency}"><td>${row.user_id ? html`${may("users:read") ? html`<a href="${base}/users/${row.user_id}">${row.name ?? "Erased user"}</a>` : html`<b>${row.name ?? "Erased user"}</b>`} <small>${row.email}</small>` : html`<span class="faint">Orders without an account</span>`}</td><td>${row.currency}</td><td class="num">${format.count(row.orders)}</td>
      <td class="num">${f(row.gross_amount, row)}</td><td class="num">${f(row.refunded_amount + row.credited_amount + row.cancelled_amount, row)}</td><td class="num">${f(row.net_amount, row)}</td></tr>`)}`;
}
