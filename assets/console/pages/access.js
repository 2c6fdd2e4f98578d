// Roles and API keys: who may do what.
import { html, useState } from "../vendor/preact.js";
import { ask } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useList, useLoad } from "../lib/load.js";
import { may, me } from "../lib/session.js";
import { close, confirmDeed, frame, open, say, showSecret } from "../ui/dialog.js";
import { Field, Trouble, submit, tick, useForm } from "../ui/field.js";
import { icon } from "../ui/icons.js";
import { empty, head, sheet, states, when } from "../ui/parts.js";
/** @typedef {{name: string, permissions: string[], built_in: boolean}} Role */

/** A box for each permission that the caller can hand out. @param {{chosen: Set<string>, choose: (to: Set<string>) => void, own: boolean, fault: string}} props own: whether permissions for one's own things can be given */
function Permissions({ chosen, choose, own, fault }) {
  const mine = (me.value?.permissions ?? []).filter(name => own || !name.endsWith("_own"));
  const names = [...new Set([...mine, ...chosen])];
  const flip = (/** @type {string} */ name) => { const to = new Set(chosen); to.delete(name) || to.add(name); choose(to); };
  return html`<fieldset><legend>Permissions</legend>${fault && html`<p class="fault">${fault}</p>`}<div class="ticks" data-pointer="#/permissions">${names.map(name => tick({ label: html`<code>${name}</code>`, checked: chosen.has(name), onChange: () => flip(name) }))}</div></fieldset>`;
}

export function Roles() {
  const roles = useLoad(() => ask("/v1/roles?limit=200").then(page => /** @type {Role[]} */ (page.data)), []);
  const edit = (/** @type {Role | null} */ role) => open(html`<${EditRole} role=${role} done=${roles.reload} />`);
  const remove = (/** @type {Role} */ role) => confirmDeed({ title: `Delete the role ${role.name}?`, words: "A role that somebody has can’t be deleted.", deed: `Delete ${role.name}`, run: async () => { await ask(`/v1/roles/${role.name}`, { method: "DELETE" }); await roles.reload(); say("Deleted."); } });
  return html`${head("Roles", may("roles:write") && html`<button class="main" onClick=${() => edit(null)}>${icon("plus")} New role</button>`)}
    ${states(roles, 6, roles => html`<div class="sheet"><table><thead><tr><th>Role</th><th>Permissions</th><th><span class="unseen">Deeds</span></th></tr></thead><tbody>${roles.map(role => html`<tr key=${role.name}><td><b>${role.name}</b>${role.built_in && html` <small>built in</small>`}</td><td><small>${role.permissions.join(" · ")}</small></td>
      <td class="num">${!role.built_in && may("roles:write") && html`<button class="quiet" onClick=${() => edit(role)}>Change</button><button class="quiet" onClick=${() => remove(role)}>Delete</button>`}</td></tr>`)}</tbody></table></div>`)}`;
}

/** @param {{role: Role | null, done: () => Promise<void>}} props */
function EditRole({ role, done }) {
  const [name, setName] = useState(role?.name ?? "");
  const [chosen, choose] = useState(new Set(role?.permissions));
  const form = useForm(async () => {
    await ask(`/v1/roles/${encodeURIComponent(name)}`, { method: "PUT", body: { permissions: [...chosen] } });
    close();
    await done();
    say("Saved. It holds from the next request on.");
  });
  return frame(role ? `Role ${role.name}` : "New role", html`<form class="form wider" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    ${!role && html`<${Field} label="Name" value=${name} onInput=${setName} pointer="#/name" fault=${form.at("#/name")} required pattern="[a-z][a-z0-9_\\-]{0,39}" autofocus hint="Lower-case letters, digits, - and _" />`}
    <${Permissions} chosen=${chosen} choose=${choose} own=${true} fault=${form.at("#/permissions")} /><footer><button type="button" onClick=${close}>Back</button>${submit(form, "Save")}</footer></form>`);
}

export function Keys() {
  const loaded = useList("/v1/api-keys"), { reload } = loaded;
  const revoke = (/** @type {any} */ key) => confirmDeed({ title: `Revoke ${key.name}?`, words: "What uses it is refused from its next request on.", deed: `Revoke ${key.name}`, run: async () => { await ask(`/v1/api-keys/${key.id}`, { method: "DELETE" }); await reload(); say("Revoked."); } });
  return html`${head("API keys", html`<button class="main" onClick=${() => open(html`<${NewKey} done=${reload} />`)}>${icon("plus")} New key</button>`)}
    ${sheet(loaded, empty("No keys yet", "A key lets a program use the API with just the permissions that it needs."),
      html`<th>Name</th><th>Permissions</th><th class="num">Last used</th><th class="num">Ends</th><th><span class="unseen">Deeds</span></th>`,
      key => html`<tr key=${key.id}><td><b>${key.name}</b> <small><code>${key.prefix}…</code></small></td><td><small>${key.permissions.join(" · ")}</small></td><td class="num">${key.last_used_at ? when(key.last_used_at) : "never"}</td><td class="num">${key.expires_at ? when(key.expires_at) : "never"}</td><td class="num"><button class="quiet" onClick=${() => revoke(key)}>Revoke</button></td></tr>`)}`;
}

/** What keys are often for. @type {[string, string[]][]} */
const KINDS = [["Bookkeeping: reads orders and figures", ["orders:read", "analytics:read"]], ["Shop: places orders and records payments", ["orders:read", "orders:create", "orders:update", "payments:write"]], ["Monitoring: reads metrics", ["metrics:read"]]];

/** @param {{done: () => Promise<void>}} props */
function NewKey({ done }) {
  const [name, setName] = useState(""), [until, setUntil] = useState("");
  const [chosen, choose] = useState(/** @type {Set<string>} */ (new Set()));
  const form = useForm(async () => {
    const made = await ask("/v1/api-keys", { method: "POST", body: { name, permissions: [...chosen], ...(until ? { expires_at: new Date(`${until}T00:00:00`).toISOString() } : {}) } });
    await done();
    showSecret(`Key ${made.name}`, made.secret, "Send it as `Authorization: Bearer …` with every request.");
  });
  return frame("New key", html`<form class="form wider" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    <div class="pair"><${Field} label="Name" value=${name} onInput=${setName} pointer="#/name" fault=${form.at("#/name")} autofocus placeholder="Bookkeeper" /><${Field} label="Ends on" type="date" min=${format.today()} value=${until} onInput=${setUntil} pointer="#/expires_at" fault=${form.at("#/expires_at")} hint="Empty: never" /></div>
    <div class="chips">${KINDS.filter(([, names]) => names.every(one => may(one))).map(([label, names]) => html`<button type="button" class="chip" aria-pressed=${names.length === chosen.size && names.every(one => chosen.has(one))} onClick=${() => choose(new Set(names))}>${label}</button>`)}</div>
    <${Permissions} chosen=${chosen} choose=${choose} own=${false} fault=${form.at("#/permissions")} /><footer><button type="button" onClick=${close}>Back</button>${submit(form, "Create key")}</footer></form>`);
}
