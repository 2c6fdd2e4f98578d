// Users: the list, one of them with their sessions, and inviting.
import { html, useEffect, useState } from "../vendor/preact.js";
import { ask, newKey, send } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useList, useLoad } from "../lib/load.js";
import { base, change, go, here } from "../lib/router.js";
import { may, me } from "../lib/session.js";
import { close, confirmDeed, frame, open, say, showSecret } from "../ui/dialog.js";
import { Field, Trouble, submit, useForm } from "../ui/field.js";
import { icon } from "../ui/icons.js";
import { badge, card, empty, facts, head, pick, sheet, states, typed, when } from "../ui/parts.js";

export const roleNames = () => ask("/v1/roles?limit=200").then(page => /** @type {string[]} */ (page.data.map((/** @type {any} */ role) => role.name)));

export function Users() {
  const filter = here.value.query.toString(), q = here.value.query.get("q") ?? "";
  const loaded = useList(`/v1/users${filter && "?" + filter}`), { list, reload } = loaded;
  const roles = useLoad(roleNames, []);
  const [text, setText] = useState(q);
  useEffect(() => {
    if (text === q) return;
    const timer = setTimeout(() => change({ q: text }, { replace: true }), 200);
    return () => clearTimeout(timer);
  }, [text]);
  return html`${head("Users", may("users:write") && html`<button class="main" onClick=${() => open(html`<${Invite} done=${reload} />`)}>${icon("plus")} New user</button>`)}
    <div class="filters"><label class="search">${icon("search")}<input type="search" placeholder="Name or e-mail" aria-label="Search users" value=${text} onInput=${typed(setText)} /></label>
      ${pick("Role", here.value.query.get("role") ?? "", [["", "Any"], ...(roles.data ?? []).map(name => /** @type {[string, string]} */ ([name, name]))], to => change({ role: to }))}
      ${pick("Status", here.value.query.get("status") ?? "", [["", "Any"], ["active", "Active"], ["disabled", "Disabled"]], to => change({ status: to }))}<span class="grow"></span><span class="faint" role="status">${list && format.some(list.total, "user")}</span></div>
    ${sheet(loaded, empty("Nobody is like this", "Take a filter away, or look for another name."),
      html`<th>Name</th><th>Role</th><th>Status</th><th class="num">Last log-in</th>`,
      user => html`<tr key=${user.id}><td><a href="${base}/users/${user.id}">${user.name ?? "Erased user"}</a> <small>${user.email}</small></td><td>${user.role}</td><td>${badge(user.status)}</td><td class="num">${user.last_login_at ? when(user.last_login_at) : "–"}</td></tr>`)}`;
}

/** An invitation is a link with a token, which the new user opens to set a password. @param {{done: () => Promise<void>}} props */
function Invite({ done }) {
  const [values, setValues] = useState({ email: "", name: "", role: "staff" });
  const roles = useLoad(roleNames, []);
  const form = useForm(async key => {
    const user = await send("/v1/users", { method: "POST", key, body: values });
    await done();
    await invite(user);
  });
  const field = (/** @type {"email" | "name" | "role"} */ name, /** @type {string} */ label, more = {}) => html`<${Field} label=${label} value=${values[name]} onInput=${(/** @type {string} */ value) => setValues({ ...values, [name]: value })} pointer="#/${name}" fault=${form.at(`#/${name}`) || (name === "email" && form.problem?.code === "email_taken" ? "is taken by another user" : "")} ...${more} />`;
  return frame("New user", html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />${field("name", "Name", { autofocus: true })}${field("email", "E-mail", { type: "email" })}${field("role", "Role", { options: (roles.data ?? [values.role]).map(name => [name, name]) })}
    <p class="hint">You get a link to send them. With it they set their password, once, within 24 hours.</p><footer><button type="button" onClick=${close}>Back</button>${submit(form, "Create user")}</footer></form>`);
}

/** @param {{id: string, email: string | null}} user */
async function invite(user) {
  const { token, expires_at } = await ask(`/v1/users/${user.id}/reset`, { method: "POST" });
  showSecret(`Link for ${user.email}`, `${location.origin}${base}/reset#token=${token}`, `Send it to them. It sets a password once, and works until ${format.at(expires_at)}.`);
}

/** @param {{id: string}} props */
export function UserPage({ id }) {
  const user = useLoad(() => ask(`/v1/users/${id}`), [id]);
  return html`<a class="back" href="${base}/users">${icon("back")} Users</a>${states(user, 6, data => html`<${Shown} user=${data} reload=${user.reload} />`)}`;
}

/** @param {{user: User & {last_login_at?: string | null, second_factor?: boolean}, reload: () => Promise<void>}} props */
function Shown({ user, reload }) {
  const mayWrite = may("users:write"), isMe = user.id === me.value?.id;
  const roles = useLoad(() => mayWrite ? roleNames() : Promise.resolve([user.role]), []);
  const sessions = useLoad(() => mayWrite || isMe ? ask(`/v1/users/${user.id}/sessions?limit=200`) : Promise.resolve({ data: [] }), [user.id]);
  const [name, setName] = useState(user.name), [role, setRole] = useState(user.role);
  const patch = async (/** @type {object} */ body, /** @type {object} */ before, /** @type {string} */ said) => {
    await send(`/v1/users/${user.id}`, { method: "PATCH", body, key: newKey() });
    await reload();
    say(said, "good", () => send(`/v1/users/${user.id}`, { method: "PATCH", body: before, key: newKey() }).then(() => { say("Undone."); reload(); }, problem => say(problem.message, "bad")));
  };
  const changed = { ...(name !== user.name ? { name } : {}), ...(role !== user.role ? { role } : {}) };
  const form = useForm(async () => patch(changed, { ...(name !== user.name ? { name: user.name } : {}), ...(role !== user.role ? { role: user.role } : {}) }, "Saved."));
  const told = (/** @type {Promise<any>} */ deed) => deed.catch(problem => say(problem.message, "bad"));
  const disable = () => user.status === "active"
    ? confirmDeed({ title: `Disable ${user.name}?`, words: "Their sessions and keys stop working at once.", deed: `Disable ${user.name}`, run: () => patch({ status: "disabled" }, { status: "active" }, "Disabled.") })
    : told(patch({ status: "active" }, { status: "disabled" }, "Enabled."));
  return html`<header class="head"><h1 tabindex="-1">${user.name ?? "Erased user"}</h1>${badge(user.status)}<span class="grow"></span>
      ${mayWrite && !isMe && html`<button onClick=${() => told(invite(user))}>${icon("keys")} Link to set a password</button><button onClick=${disable}>${user.status === "active" ? "Disable" : "Enable"}</button>`}</header>
    <div class="columns"><div>
      ${mayWrite && card("Name and role", html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} /><${Field} label="Name" value=${name ?? ""} onInput=${setName} pointer="#/name" fault=${form.at("#/name")} />
        <${Field} label="Role" value=${role} onInput=${setRole} pointer="#/role" fault=${form.at("#/role")} options=${(roles.data ?? [role]).map(one => [one, one])} disabled=${isMe} hint=${isMe ? "Nobody changes their own role." : ""} /><footer>${submit(form, "Save", "main", !Object.keys(changed).length)}</footer></form>`)}
      ${(mayWrite || isMe) && card("Sessions", states(sessions, 3, page => sessionTable(user.id, page.data, sessions.reload)))}
    </div><div>${card("Details", facts([["E-mail", user.email && html`<a href="mailto:${user.email}">${user.email}</a>`], ["Role", user.role], ["Last log-in", user.last_login_at && when(user.last_login_at)], ["Second factor", user.second_factor === undefined ? null : user.second_factor ? "active" : "none"], ["Made", format.at(user.created_at)], ["Id", html`<code>${user.id}</code>`], ["Orders", html`<a href="${base}/orders?user_id=${user.id}">Orders of theirs</a>`]]))}
      ${mayWrite && !isMe && user.second_factor && html`<button onClick=${() => confirmDeed({ title: "End the second factor?", words: "They log in with their password alone until they set up another.", deed: "End second factor", run: async () => { await ask(`/v1/users/${user.id}/totp`, { method: "DELETE" }); await reload(); say("Ended."); } })}>End second factor</button>`}
      ${may("personal_data:erase") && !isMe && html`<button onClick=${() => confirmDeed({ title: `Erase ${user.name}?`, words: "Name and address of the account, and customer, note and reasons of all their orders, are deleted for good. Amounts and figures stay.", deed: "Erase personal data", run: async () => { await send(`/v1/users/${user.id}/erase`, { method: "POST", key: newKey() }); await reload(); say("Erased."); } })}>Erase personal data</button>`}</div></div>`;
}

/** @param {string} user @param {any[]} sessions @param {() => Promise<void>} reload */
export function sessionTable(user, sessions, reload) {
  const end = async (/** @type {string} */ id) => { await ask(`/v1/users/${user}/sessions/${id}`, { method: "DELETE" }); await reload(); say("The session has ended."); };
  return !sessions.length ? empty("No sessions", "Nobody is logged in.") : html`<div class="scroll"><table><thead><tr><th>Device</th><th>Address</th><th class="num">Last used</th><th><span class="unseen">Deeds</span></th></tr></thead><tbody>${sessions.map(session => html`<tr key=${session.id}>
    <td>${device(session.user_agent)}${session.current && html` <b>this one</b>`}</td><td>${session.ip ?? "–"}</td><td class="num">${when(session.last_used_at ?? session.created_at)}</td><td class="num">${!session.current && html`<button class="quiet" onClick=${() => end(session.id).catch(problem => say(problem.message, "bad"))}>End</button>`}</td></tr>`)}</tbody></table></div>`;
}
/** @param {string | null} agent */
const device = agent => { const match = /(Firefox|Edg|Chrome|Safari|curl|python)[/ ]?(\d*)/i.exec(agent ?? ""), on = /(Windows|Mac OS|Android|iPhone|iPad|Linux)/.exec(agent ?? ""); return match ? `${match[1].replace("Edg", "Edge")}${on ? ` on ${on[1]}` : ""}` : (agent ?? "Unknown").slice(0, 40); };

/** Opened from an invitation: sets a password with the token of the link. */
export function Reset() {
  const [token] = useState(() => decodeURIComponent(/^#token=(.+)$/.exec(location.hash)?.[1] ?? ""));
  const [password, setPassword] = useState("");
  const form = useForm(async () => {
    await ask("/v1/auth/reset", { method: "POST", body: { token, new_password: password } });
    say("Your password is set. Sign in with it.");
    go("/login", { replace: true });
  });
  return html`<main class="login" id="main"><div class="card"><h1>Set your password</h1><form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    <${Field} label="New password" type="password" value=${password} onInput=${setPassword} pointer="#/new_password" fault=${form.at("#/new_password")} autocomplete="new-password" required autofocus /><footer>${submit(form, "Set password")}</footer></form></div></main>`;
}
