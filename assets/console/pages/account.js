// The caller's own account: name, password, second factor, sessions, looks.
import { html, useState } from "../vendor/preact.js";
import { ask, newKey, send } from "../lib/api.js";
import * as format from "../lib/format.js";
import { singleKeys, useSingleKeys } from "../lib/keys.js";
import { useLoad } from "../lib/load.js";
import { menu } from "../lib/menu.js";
import { settings } from "../lib/money.js";
import { base } from "../lib/router.js";
import { load, me, needsFactor, signOut } from "../lib/session.js";
import { close, frame, open, say, showSecret } from "../ui/dialog.js";
import { Field, Trouble, submit, tick, useForm } from "../ui/field.js";
import { card, choice, head, pick, states } from "../ui/parts.js";
import { showKeys } from "../ui/palette.js";
import { qrCode } from "../ui/qr.js";
import { sessionTable } from "./users.js";

export function Account() {
  const user = /** @type {any} */ (me.value?.user);
  const sessions = useLoad(() => ask(`/v1/users/${me.value?.id}/sessions?limit=200`), []);
  const endOthers = async () => { for (const session of sessions.data?.data ?? []) if (!session.current) await ask(`/v1/users/${user.id}/sessions/${session.id}`, { method: "DELETE" }); await sessions.reload(); say("All other sessions have ended."); };
  return html`${head("Your account", html`<button class="onphone" onClick=${() => signOut().catch(() => say("The server can't be reached. You are still signed in.", "bad"))}>Sign out</button>`)}
    ${needsFactor.value && html`<p class="tell" role="alert">Your role needs a second factor. Set it up here to go on.</p>`}
    <nav class="onphone card" aria-label="More places"><ul class="work">${menu().slice(3).map(({ to, name }) => html`<li><a href=${base + to}><span>${name}</span></a></li>`)}</ul></nav>
    <div class="columns"><div><${Name} user=${user} /><${Password} />${user?.second_factor !== undefined && html`<${SecondFactor} active=${user.second_factor} />`}
      ${card("Sessions", states(sessions, 3, page => sessionTable(user.id, page.data, sessions.reload)), html`<button class="quiet" onClick=${() => endOthers().catch(problem => say(problem.message, "bad"))}>End all others</button>`)}</div>
    <div>${card("Looks", html`<div class="fields"><${Looks} /></div>`)}${card("Keys", html`<div class="fields">${tick({ label: "Single keys act", checked: singleKeys.value, onChange: useSingleKeys })}<div><button onClick=${showKeys}>List of keys</button></div></div>`)}</div></div>`;
}

function Looks() {
  const [theme, setTheme] = useState(localStorage.theme ?? "");
  const turn = (/** @type {string} */ to) => {
    setTheme(to);
    if (to) document.documentElement.dataset.theme = localStorage.theme = to;
    else { delete document.documentElement.dataset.theme; delete localStorage.theme; }
  };
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return html`${choice("Theme", [["", "Automatic"], ["light", "Light"], ["dark", "Dark"]], theme, turn)}
    ${pick("Zone", localStorage.zone ?? "", [["", `${own} (this device)`], ...Intl.supportedValuesOf("timeZone").map(zone => /** @type {[string, string]} */ ([zone, zone]))], to => { if (to) localStorage.zone = to; else delete localStorage.zone; format.zone.value = to || own; })}
    <p class="hint">Times are shown in it. Reports use ${settings.value.reporting_timezone}, unless another is chosen there.</p>`;
}

/** @param {{user: any}} props */
function Name({ user }) {
  const [name, setName] = useState(user?.name ?? "");
  const put = async (/** @type {string} */ to, /** @type {string} */ key) => { await send(`/v1/users/${user.id}`, { method: "PATCH", key, body: { name: to } }); await load(); };
  const form = useForm(async key => { const before = user.name; await put(name, key); say("Saved.", "good", () => put(before, newKey()).then(() => { setName(before); say("Undone."); })); });
  return user && card("Name", html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} /><${Field} label="Name" value=${name} onInput=${setName} pointer="#/name" fault=${form.at("#/name")} autocomplete="name" hint=${user.email} /><footer>${submit(form, "Save", "main", name === user.name)}</footer></form>`);
}

function Password() {
  const [now, setNow] = useState(""), [next, setNext] = useState("");
  const form = useForm(async () => {
    await ask("/v1/auth/password", { method: "POST", body: { current_password: now, new_password: next } });
    setNow("");
    setNext("");
    say("Your password is changed. Your other sessions have ended.");
  });
  return card("Password", html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    <${Field} label="Current password" type="password" value=${now} onInput=${setNow} pointer="#/current_password" fault=${form.at("#/current_password")} autocomplete="current-password" required />
    <${Field} label="New password" type="password" value=${next} onInput=${setNext} pointer="#/new_password" fault=${form.at("#/new_password")} autocomplete="new-password" required hint="At least ${settings.value.password_min_length} characters." /><footer>${submit(form, "Change password")}</footer></form>`);
}

/** @param {{active: boolean}} props */
function SecondFactor({ active }) {
  return card("Second factor", html`<div class="pad"><p>${active ? "Log-in asks for a code of your authenticator app." : "With a second factor, a password alone does not let anybody in."}</p>
    <p><button onClick=${() => open(active ? html`<${EndFactor} />` : html`<${BeginFactor} />`)}>${active ? "End it" : "Set up"}</button></p></div>`);
}

function BeginFactor() {
  const [password, setPassword] = useState(""), [code, setCode] = useState("");
  const [made, setMade] = useState(/** @type {any} */ (null));
  const form = useForm(async () => {
    if (!made) return setMade(await ask("/v1/auth/totp", { method: "POST", body: { password } }));
    await ask("/v1/auth/totp/confirm", { method: "POST", body: { code: code.trim() } });
    await load();
    needsFactor.value = false;
    showSecret("Recovery codes", made.recovery_codes.join("\n"), "Each lets you in once without your app. Keep them where your app is not.");
  });
  return frame("Set up a second factor", html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    ${made ? html`<p>Scan this with your authenticator app, <a href=${made.uri}>open it on this device</a>, or enter the key:</p>${qrCode(made.uri, "QR code of the key")}<p class="secret"><code>${made.secret.match(/.{1,4}/g).join(" ")}</code></p><${Field} label="Code" value=${code} onInput=${setCode} pointer="#/code" fault=${form.at("#/code")} inputmode="numeric" autocomplete="one-time-code" required hint="The six digits that the app shows." />`
      : html`<${Field} label="Password" type="password" value=${password} onInput=${setPassword} pointer="#/password" fault=${form.at("#/password")} autocomplete="current-password" required autofocus />`}
    <footer><button type="button" onClick=${close}>Back</button>${submit(form, made ? "Confirm" : "Go on")}</footer></form>`);
}

function EndFactor() {
  const [password, setPassword] = useState(""), [code, setCode] = useState("");
  const form = useForm(async () => { await ask("/v1/auth/totp", { method: "DELETE", body: { password, code: code.trim() } }); await load(); close(); say("The second factor has ended."); });
  return frame("End the second factor", html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} /><${Field} label="Password" type="password" value=${password} onInput=${setPassword} pointer="#/password" fault=${form.at("#/password")} autocomplete="current-password" required autofocus />
    <${Field} label="Code" value=${code} onInput=${setCode} pointer="#/code" fault=${form.at("#/code")} autocomplete="one-time-code" required /><footer><button type="button" onClick=${close}>Back</button>${submit(form, "End second factor", "main danger")}</footer></form>`);
}
