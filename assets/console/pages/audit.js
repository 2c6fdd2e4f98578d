// @ts-check
// Who did what to what, from where, and whether it was allowed.
import { html, useState } from "../vendor/preact.js";
import { save } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useList } from "../lib/load.js";
import { base, change, here } from "../lib/router.js";
import { may } from "../lib/session.js";
import { say } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { badge, empty, failed, head, pick, waiting } from "../ui/parts.js";

/** A thing by its id: a link where a page shows it. @param {string | null} id */
const thing = id => !id ? "–" : id.startsWith("ord_") ? html`<a href="${base}/orders/${id}"><code>${id}</code></a>` : id.startsWith("usr_") && may("users:read") ? html`<a href="${base}/users/${id}"><code>${id}</code></a>` : html`<code>${id}</code>`;
const OUTCOMES = /** @type {[string, string][]} */ ([["", "Any"], ["success", "Success"], ["denied", "Denied"], ["failure", "Failure"]]);

export function Audit() {
  const address = here.value.query;
  const parameters = new URLSearchParams(address);
  for (const [name, days] of /** @type {const} */ ([["from", 0], ["to", 1]])) { const date = parameters.get(name); if (date) parameters.set(name, new Date(`${format.addDays(date, days)}T00:00:00`).toISOString()); }
  const filter = parameters.toString();
  const { list, problem, reload, more, end } = useList(`/v1/audit${filter && "?" + filter}`);
  const [action, setAction] = useState(address.get("action") ?? ""), [target, setTarget] = useState(address.get("target") ?? "");
  const date = (/** @type {string} */ name, /** @type {string} */ label) => html`<label class="pick">${label} <input type="date" value=${address.get(name) ?? ""} onChange=${(/** @type {any} */ event) => change({ [name]: event.target.value })} /></label>`;
  return html`${head("Audit log", html`<button class="ondesk" onClick=${() => save(`/v1/audit${filter && "?" + filter}`, `audit-${format.today()}.csv`, { accept: "text/csv" }).catch(problem => say(problem.message, "bad"))}>${icon("download")} CSV</button>`)}
    <form class="filters" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); change({ action: action.trim(), target: target.trim() }); }}>
      <label class="pick">Action <input value=${action} placeholder="orders.update" onInput=${(/** @type {any} */ event) => setAction(event.target.value)} /></label><label class="pick">Target <input value=${target} placeholder="ord_…" onInput=${(/** @type {any} */ event) => setTarget(event.target.value)} /></label>
      ${pick("Outcome", address.get("outcome") ?? "", OUTCOMES, to => change({ outcome: to }))}${date("from", "From")}${date("to", "To")}
      ${address.get("actor_id") && html`<button type="button" onClick=${() => change({ actor_id: "" })}>One actor ${icon("close")}</button>`}<button>Filter</button><span class="grow"></span><span class="faint" role="status">${list && format.count(list.total)}</span></form>
    ${!list ? problem ? failed(problem, reload) : waiting(10) : !list.rows.length ? empty("Nothing is like this", "Take a filter away.") : html`<div class="sheet"><table><thead><tr><th>When</th><th>Who</th><th>What</th><th>Target</th><th>From</th><th>Outcome</th></tr></thead>
      <tbody>${list.rows.map(row => html`<tr key=${row.id}><td><time datetime=${row.occurred_at} title=${row.request_id}>${format.at(row.occurred_at)}</time></td><td>${who(row)}</td><td><code>${row.action}</code>${row.changes && Object.keys(row.changes).length > 0 && html`<details><summary>Changes</summary><pre>${JSON.stringify(row.changes, null, 1)}</pre></details>`}</td><td>${thing(row.target)}</td><td>${row.address ?? "–"}</td><td>${badge(row.outcome)}</td></tr>`)}</tbody></table></div>
      <div class="end" ref=${end}>${problem ? failed(problem, more) : list.next && waiting(3)}</div>`}`;
}
/** @param {any} row */
const who = row => row.actor_name ? row.actor?.startsWith?.("usr_") && may("users:read") ? html`<a href="${base}/users/${row.actor}">${row.actor_name}</a>` : row.actor_name : html`<code>${row.actor ?? "–"}</code>`;
