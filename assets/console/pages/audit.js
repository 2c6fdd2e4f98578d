// Who did what to what, from where, and whether it was allowed.
import { html, useState } from "../vendor/preact.js";
import * as format from "../lib/format.js";
import { useList } from "../lib/load.js";
import { base, change, here } from "../lib/router.js";
import { may } from "../lib/session.js";
import { exports } from "../ui/exports.js";
import { icon } from "../ui/icons.js";
import { badge, empty, head, pick, sheet, typed } from "../ui/parts.js";

/** A thing by its id: a link where a page shows it. @param {string | null} id @param {any} changes @returns {any} */
const thing = (id, changes) => id?.startsWith("txn_") && changes?.order_id ? thing(changes.order_id, null) : !id ? "–" : id.startsWith("ord_") ? html`<a href="${base}/orders/${id}"><code>${id}</code></a>` : id.startsWith("usr_") && may("users:read") ? html`<a href="${base}/users/${id}"><code>${id}</code></a>` : html`<code>${id}</code>`;
const OUTCOMES = /** @type {[string, string][]} */ ([["", "Any"], ["success", "Success"], ["denied", "Denied"], ["failure", "Failure"]]);

export function Audit() {
  const address = here.value.query;
  const parameters = new URLSearchParams(address);
  for (const [name, days] of /** @type {const} */ ([["from", 0], ["to", 1]])) { const date = parameters.get(name); if (date) parameters.set(name, new Date(`${format.addDays(date, days)}T00:00:00`).toISOString()); }
  const filter = parameters.toString();
  const loaded = useList(`/v1/audit${filter && "?" + filter}`), { list } = loaded;
  const [action, setAction] = useState(address.get("action") ?? ""), [target, setTarget] = useState(address.get("target") ?? "");
  const date = (/** @type {string} */ name, /** @type {string} */ label) => html`<label class="pick">${label} <input type="date" value=${address.get(name) ?? ""} onChange=${typed(to => change({ [name]: to }))} /></label>`;
  return html`${head("Audit log", exports("/v1/audit", filter))}
    <form class="filters" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); change({ action: action.trim(), target: target.trim() }); }}>
      <label class="pick">Action <input value=${action} placeholder="users.update" list="actions" onInput=${typed(setAction)} /></label><label class="pick">Target <input value=${target} placeholder="ord_…" onInput=${typed(setTarget)} /></label>
      ${pick("Outcome", address.get("outcome") ?? "", OUTCOMES, to => change({ outcome: to }))}${date("from", "From")}${date("to", "To")}
      ${address.get("actor_id") && html`<button type="button" onClick=${() => change({ actor_id: "" })}>One actor ${icon("close")}</button>`}<button>Filter</button><span class="grow"></span><span class="faint" role="status">${list && format.count(list.total)}</span></form>
    <datalist id="actions">${[...new Set(list?.rows.map(row => row.action))].map(action => html`<option value=${action} />`)}</datalist>
    <p class="tell">Who placed or changed an order, and when, stands in the history on its page. <a href="${base}/orders?sort=-updated_at">Orders, last changed first</a></p>
    ${sheet(loaded, empty("Nothing is like this", "Take a filter away."),
      html`<th>When</th><th>Who</th><th>What</th><th>Target</th><th>From</th><th>Outcome</th>`,
      row => html`<tr key=${row.id}><td><time datetime=${row.occurred_at} title=${row.request_id}>${format.at(row.occurred_at)}</time></td><td>${who(row)}</td><td><code>${row.action}</code>${row.changes && Object.keys(row.changes).length > 0 && html`<details><summary>Changes</summary><pre>${JSON.stringify(row.changes, null, 1)}</pre></details>`}</td><td>${thing(row.target, row.changes)}</td><td>${row.address ?? "–"}</td><td>${badge(row.outcome)}</td></tr>`)}`;
}
/** @param {any} row */
const who = row => row.actor_name ? row.actor?.startsWith?.("usr_") && may("users:read") ? html`<a href="${base}/users/${row.actor}">${row.actor_name}</a>` : row.actor_name : html`<code>${row.actor ?? "–"}</code>`;
