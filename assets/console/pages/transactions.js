// Payments and refunds: those of one order, what to do with pending ones, and the list of all.
import { html, useState } from "../vendor/preact.js";
import { newKey, query, send } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useList } from "../lib/load.js";
import { money } from "../lib/money.js";
import { base, change, here } from "../lib/router.js";
import { may } from "../lib/session.js";
import { confirmDeed, say } from "../ui/dialog.js";
import { exports } from "../ui/exports.js";
import { icon } from "../ui/icons.js";
import { badge, empty, head, pick, sheet, typed, when } from "../ui/parts.js";

/** What can become of a row: the word of the API, and the name of the deed. @type {Record<string, [string, string][]>} */
const NEXT = { pending: [["succeeded", "Succeeded"], ["failed", "Failed"], ["voided", "Voided"]], succeeded: [["reversed", "Reverse"]] };

/** @param {Transaction} row @param {(after: Transaction) => any} done */
function settle(row, done) {
  if (!may(row.kind === "payment" ? "payments:write" : "refunds:write")) return [];
  const amount = money(row.amount, row.currency), kind = row.kind;
  const run = async (/** @type {string} */ status) => {
    const after = await send(`/v1/transactions/${row.id}`, { method: "PATCH", body: { status }, key: newKey() });
    say(`The ${kind} of ${amount} is ${status}.`);
    await done(after);
  };
  const begin = (/** @type {string} */ status, /** @type {string} */ name) => status === "reversed"
    ? confirmDeed({ title: `Reverse this ${kind}?`, words: `For a ${kind} that was booked by mistake. It stays in the list, and its amount no longer counts from today on.`, deed: `Reverse ${amount}`, run: () => run(status) })
    : confirmDeed({ title: `Mark as ${status}?`, words: `The ${kind} of ${amount} has been pending. This can’t be taken back.`, deed: `${name === "Succeeded" ? "Book" : name === "Failed" ? "Mark as failed:" : "Void"} ${amount}`, run: () => run(status) });
  return (NEXT[row.status] ?? []).map(([status, name]) => html`<button class="quiet" onClick=${() => begin(status, name)}>${name}</button>`);
}

/** @param {Transaction[]} rows @param {() => Promise<void>} reload */
export const transactionList = (rows, reload) => rows.length > 0 && html`<ul class="money">${rows.map(row => {
  const off = ["failed", "voided", "reversed"].includes(row.status);
  return html`<li key=${row.id}><span>${format.words(row.kind)} ${row.status !== "succeeded" && badge(row.status)}<small>${[row.provider, row.provider_ref, row.reason].filter(Boolean).join(" · ")} ${when(row.occurred_at)}</small>
    ${row.kind === "refund" && !off && row.credit_amount !== row.amount && html`<small>${row.credit_amount ? `credits ${money(row.credit_amount, row.currency)}` : "still owed"}</small>`}${settle(row, reload)}</span>
    <b class="${row.kind} ${off ? "off" : ""}">${row.kind === "refund" ? "−" : ""}${money(row.amount, row.currency)}</b></li>`;
})}</ul>`;

/** @type {[string, Record<string, string>][]} */
const VIEWS = [["All", {}], ["Payments", { kind: "payment" }], ["Refunds", { kind: "refund" }], ["Pending", { status: "pending" }]];

export function Transactions() {
  const filter = here.value.query.toString();
  const loaded = useList(`/v1/transactions${filter && "?" + filter}`, { live: true }), { list, replace } = loaded;
  const [reference, setReference] = useState(here.value.query.get("provider_ref") ?? "");
  return html`${head("Payments", exports("/v1/transactions", filter))}
    <nav class="tabs" aria-label="Views">${VIEWS.map(([name, to]) => html`<a href="${base}/payments?${query(to)}" aria-current=${filter === query(to) ? "page" : undefined}>${name}</a>`)}</nav>
    <form class="filters" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); change({ provider_ref: reference.trim() }); }}>
      <label class="search">${icon("search")}<input type="search" placeholder="Reference of the provider" aria-label="Search by the provider’s reference" value=${reference} onInput=${typed(setReference)} /></label>
      ${pick("Status", here.value.query.get("status") ?? "", [["", "Any"], ...["pending", "succeeded", "failed", "voided", "reversed"].map(one => /** @type {[string, string]} */ ([one, format.words(one)]))], to => change({ status: to }))}
      <span class="grow"></span><span class="faint" role="status">${list && format.count(list.total)} in all</span></form>
    ${sheet(loaded, filter ? empty("Nothing is like this", "Take a filter away.", html`<a class="button" href="${base}/payments">All payments</a>`) : empty("No payments yet", "They are recorded on the page of their order."),
      html`<th>Order</th><th>Kind</th><th>Status</th><th>Provider</th><th class="num">Amount</th><th class="num">When</th><th><span class="unseen">Deeds</span></th>`,
      row => html`<tr key=${row.id}><td><a href="${base}/orders/${row.order_id}">${row.order_number ? `#${row.order_number}` : "Order"}</a></td><td>${format.words(row.kind)}</td><td>${badge(row.status)}</td><td>${[row.provider, row.provider_ref].filter(Boolean).join(" ")}</td>
        <td class="num">${row.kind === "refund" ? "−" : ""}${money(row.amount, row.currency)}</td><td class="num">${when(row.occurred_at)}</td><td class="num">${row.status === "pending" && settle(row, replace)}</td></tr>`)}`;
}
