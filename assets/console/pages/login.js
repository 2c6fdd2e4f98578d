// Log-in and set-up.
import { html, useEffect, useState } from "../vendor/preact.js";
import { ask, root } from "../lib/api.js";
import { settings } from "../lib/money.js";
import { go, here } from "../lib/router.js";
import { me, signIn } from "../lib/session.js";
import { Field, Trouble, submit, useForm } from "../ui/field.js";

const suggested = document.documentElement.dataset.email ?? "";

/** What went wrong at the provider of OpenID Connect, and what to do. @type {Record<string, string>} */
const REFUSALS = {
  oidc_unknown_user: "nobody here has the e-mail address that it gave. Ask an administrator to add you.",
  oidc_unverified_email: "it has not verified your e-mail address.",
  oidc_declined: "it was declined there.",
  oidc_expired: "it took too long. Try again.",
  oidc_unavailable: "it can’t be reached. Try again later.",
  oidc_failed: "its answer can’t be trusted. Try again; the server’s log says more.",
};

/** The seconds until an attempt is allowed again, counted down. @param {any} problem */
function useDelay(problem) {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const until = Date.now() + (problem?.status === 429 ? problem.retryAfter * 1000 : 0);
    const tell = () => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    tell();
    const timer = setInterval(tell, 500);
    return () => clearInterval(timer);
  }, [problem]);
  return left;
}

/** The fields of log-in, alone on a page or over it when the session ended. @param {{again?: boolean}} props */
export function LoginForm({ again = false }) {
  const [email, setEmail] = useState(again ? me.value?.user?.email ?? "" : suggested);
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asksCode, setAsksCode] = useState(false);
  const [error, setError] = useState(here.value.query.get("error"));
  const form = useForm(async () => {
    try {
      await signIn({ email: email.trim(), password, ...(asksCode && code ? { code: code.trim() } : {}) });
    } catch (problem) {
      if (/** @type {any} */ (problem).code !== "second_factor_required") throw problem;
      if (asksCode) throw problem;
      setAsksCode(true);
    }
  });
  const wait = useDelay(form.problem);
  // The provider of OpenID Connect leads back here with a claim, which is good for one minute and once.
  useEffect(() => {
    const claim = /^#claim=(.+)$/.exec(location.hash)?.[1];
    if (!claim) return;
    history.replaceState(history.state, "", location.pathname);
    signIn({ claim: decodeURIComponent(claim) }).catch(problem => setError(problem.message));
  }, []);
  const refused = form.problem?.code === "invalid_credentials" ? "No user has this e-mail address and password."
    : form.problem?.code === "second_factor_required" ? "This code is wrong or was used already."
    : wait ? `Too many attempts. Wait ${wait} s.` : "";
  return html`<form class="form" ref=${form.element} onSubmit=${form.submit}>
    ${error && html`<p class="fault" role="alert">Sign-in with the provider did not work: ${REFUSALS[error] ?? error}</p>`}
    <${Field} label="E-mail" type="email" name="email" value=${email} onInput=${setEmail} autocomplete="username" required autofocus=${!email} />
    <${Field} label="Password" type="password" name="password" value=${password} onInput=${setPassword} autocomplete="current-password" required autofocus=${!!email} />
    ${asksCode && html`<${Field} label="Code" name="code" value=${code} onInput=${setCode} autocomplete="one-time-code" required autofocus hint="From your authenticator app, or one of your recovery codes." />`}
    ${refused ? html`<p class="fault" role="alert">${refused}</p>` : form.problem?.status !== 429 && html`<${Trouble} form=${form} />`}
    <footer>${submit(form, "Sign in", "main", wait > 0)}</footer>
    ${settings.value.oidc_button && html`<a class="button" href="${root}/v1/auth/oidc">${settings.value.oidc_button}</a>`}
  </form>`;
}

export const Login = () => html`<main class="login" id="main"><div class="card"><h1>orderd</h1><${LoginForm} /></div></main>`;

/** The first administrator, with the token that the server printed when it started. */
export function Setup() {
  const [token, setToken] = useState(here.value.query.get("token") ?? "");
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const form = useForm(async () => {
    await ask("/v1/setup", { method: "POST", body: { token: token.trim(), name, email: email.trim(), password } });
    await signIn({ email: email.trim(), password });
    go("/", { replace: true });
  });
  const least = settings.value.password_min_length;
  const tokenFault = form.problem?.code === "invalid_setup_token" ? "This is not the token, or it is too old: restart the server to get another." : form.at("#/token");
  return html`<main class="login" id="main"><div class="card"><h1>Set up orderd</h1><p>Make the first administrator. The server printed a token when it started.</p>
    <form class="form" ref=${form.element} onSubmit=${form.submit}>
      <${Field} label="Setup token" value=${token} onInput=${setToken} pointer="#/token" fault=${tokenFault} required autofocus />
      <${Field} label="Name" value=${name} onInput=${setName} pointer="#/name" fault=${form.at("#/name")} autocomplete="name" required />
      <${Field} label="E-mail" type="email" value=${email} onInput=${setEmail} pointer="#/email" fault=${form.at("#/email")} autocomplete="username" required />
      <${Field} label="Password" type="password" value=${password} onInput=${setPassword} pointer="#/password" fault=${form.at("#/password")} autocomplete="new-password" required
        hint="At least ${least} characters; any characters will do. ${password.length ? `${password.length} so far.` : ""}" />
      ${!tokenFault && html`<${Trouble} form=${form} />`}
      <footer>${submit(form, "Create administrator")}</footer>
    </form>
    <p><a href="${root}/console/login">Sign in instead</a></p></div></main>`;
}
