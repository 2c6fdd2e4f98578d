// The server itself: whether it is ready, its version, backups, whether its figures are right, and its manuals.
import { html, useState } from "../vendor/preact.js";
import { ask, root, save } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useLoad } from "../lib/load.js";
import { settings } from "../lib/money.js";
import { may } from "../lib/session.js";
import { say } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { badge, card, facts, head, states } from "../ui/parts.js";

export function System() {
  const ready = useLoad(() => ask("/readyz").catch(problem => problem.body?.checks ? problem.body : Promise.reject(problem)), []);
  const version = useLoad(() => ask("/version"), []);
  const [busy, setBusy] = useState("");
  const [figures, setFigures] = useState(/** @type {any} */ (null));
  const run = async (/** @type {string} */ name, /** @type {() => Promise<any>} */ deed) => {
    setBusy(name);
    await deed().catch(problem => say(problem.message, "bad"));
    setBusy("");
  };
  return html`${head("System")}<div class="columns"><div>
      ${card("Readiness", states(ready, 4, ready => html`<table><tbody>${ready.checks.map((/** @type {any} */ check) => html`<tr><td>${format.words(check.name)}</td><td>${badge(check.ok ? "active" : "failed", check.ok ? "Right" : "Wrong")}</td><td>${check.detail}</td></tr>`)}</tbody></table>`), html`<button class="quiet" onClick=${ready.reload}>Check again</button>`)}
      ${may("system:backup") && card("Backup", html`<div class="pad"><p>A verified copy of the whole database, made while the server works. It contains all personal data: keep it safe.</p><p><button disabled=${busy === "backup"} onClick=${() => run("backup", () => save("/v1/system/backup"))}>${icon("download")} ${busy === "backup" ? "Making it …" : "Download a backup"}</button></p></div>`)}
      ${may("analytics:read") && card("Figures", html`<div class="pad"><p>Computes all figures anew from the orders and compares them with the stored ones.</p><p><button disabled=${busy === "figures"} onClick=${() => run("figures", async () => setFigures(await ask("/v1/analytics/reconcile")))}>${icon("check")} ${busy === "figures" ? "Computing …" : "Check figures"}</button></p>
        ${figures && html`<p role="status"><b>${figures.ok ? "All figures are right." : "Some figures differ:"}</b> ${figures.checks.map((/** @type {any} */ check) => html`${badge(check.ok ? "active" : "failed", check.ok ? "Right" : "Wrong")} ${format.words(check.name)} `)}</p>`}</div>`)}
    </div><div>${card("Version", states(version, 3, version => facts([["orderd", version.version], ["SQLite", version.sqlite], ["Durability", ready.data?.durability], ["Reporting zone", settings.value.reporting_timezone]])))}
      ${card("Manuals", html`<ul class="work">${[["/guide", "Guide"], ["/docs", "API reference"], ["/problems", "Problems"], ["/openapi.json", "openapi.json"]].map(([to, name]) => html`<li><a href=${root + to} target="_blank" rel="noopener">${icon("next")}<span>${name}</span></a></li>`)}</ul>`)}</div></div>`;
}
