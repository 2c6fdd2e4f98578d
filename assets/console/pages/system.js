// The server itself: whether it is ready, its version, its backups, whether its figures are right, and its manuals.
import { html, useState } from "../vendor/preact.js";
import { ask, root, save } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useLoad } from "../lib/load.js";
import { settings } from "../lib/money.js";
import { may } from "../lib/session.js";
import { say } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { badge, card, facts, head, named, states, when } from "../ui/parts.js";

/** How long making a backup may take before the latest one counts as old. */
const MAKING_MS = 600_000;

/** What is wrong with the scheduled backups, in a word and in a sentence. @param {BackupSchedule} schedule @returns {[string, any] | null} */
function lack({ every_seconds, latest, failure }) {
  if (!every_seconds) return ["No backups are scheduled", html`Set <code>backup.every</code> in the configuration, to <code>1h</code> for example.`];
  if (failure) return ["Backups fail", html`The last attempt failed ${when(failure.failed_at)}. To mend it, ${named(failure.remedy)}. The server’s log has the cause.`];
  if (latest && Date.now() - Date.parse(latest.current_at) > 2_000 * every_seconds + MAKING_MS) return ["The latest backup is old", html`What changed since ${when(latest.current_at)} is not in it.`];
  return null;
}

/** @param {BackupSchedule} schedule */
function backups(schedule) {
  const { every_seconds, latest, next_at } = schedule, wrong = lack(schedule);
  const next = next_at && (Date.parse(next_at) <= Date.now() ? "Due, and made once something has changed" : when(next_at));
  return html`${wrong && html`<div class="pad"><div class="alert" role="alert"><b>${wrong[0]}</b><p>${wrong[1]}</p></div></div>`}
    ${facts([["Latest", latest ? html`${when(latest.made_at)}, ${format.size(latest.bytes)}, ${badge("active", "Verified")}` : every_seconds ? "None yet" : "None"], ["Next", next]])}`;
}

export function System() {
  const ready = useLoad(() => ask("/readyz").catch(problem => problem.body?.checks ? problem.body : Promise.reject(problem)), []);
  const schedule = useLoad(() => may("system:backup") ? ask("/v1/system/backup-schedule") : Promise.resolve(), []);
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
      ${may("system:backup") && card("Backups", html`${states(schedule, 3, backups)}<div class="pad"><p>A verified copy of the whole database, made while the server works. It contains all personal data: keep it safe.</p><p><button disabled=${busy === "backup"} onClick=${() => run("backup", () => save("/v1/system/backup"))}>${icon("download")} ${busy === "backup" ? "Making it …" : "Download a backup"}</button></p></div>`, html`<button class="quiet" onClick=${schedule.reload}>Look again</button>`)}
      ${may("analytics:read") && card("Figures", html`<div class="pad"><p>Computes all figures anew from the orders and compares them with the stored ones.</p><p><button disabled=${busy === "figures"} onClick=${() => run("figures", async () => setFigures(await ask("/v1/analytics/reconcile")))}>${icon("check")} ${busy === "figures" ? "Computing …" : "Check figures"}</button></p>
        ${figures && html`<p role="status"><b>${figures.ok ? "All figures are right." : "Some figures differ:"}</b> ${figures.checks.map((/** @type {any} */ check) => html`${badge(check.ok ? "active" : "failed", check.ok ? "Right" : "Wrong")} ${format.words(check.name)} `)}</p>`}</div>`)}
    </div><div>${card("Version", states(version, 3, version => facts([["orderd", version.version], ["SQLite", version.sqlite], ["Durability", ready.data?.durability], ["Reporting zone", settings.value.reporting_timezone]])))}
      ${card("Manuals", html`<ul class="work">${[["/guide", "Guide"], ["/docs", "API reference"], ["/problems", "Problems"], ["/openapi.json", "openapi.json"]].map(([to, name]) => html`<li><a href=${root + to} target="_blank" rel="noopener">${icon("next")}<span>${name}</span></a></li>`)}</ul>`)}</div></div>`;
}
