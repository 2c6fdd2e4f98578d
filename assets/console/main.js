// The shell: who is there, where they are, and what stands around every page.
import { effect, html, render, useEffect, useErrorBoundary, useRef } from "./vendor/preact.js";
import { follow, withoutFeed } from "./lib/live.js";
import { useKeys } from "./lib/keys.js";
import { landing, menu } from "./lib/menu.js";
import { loadSettings } from "./lib/money.js";
import { base, go, here } from "./lib/router.js";
import { begin, ended, isCustomer, may, me, needsFactor, signOut } from "./lib/session.js";
import { Dialogs, Said, say } from "./ui/dialog.js";
import { icon } from "./ui/icons.js";
import { openPalette, showKeys } from "./ui/palette.js";
import { head } from "./ui/parts.js";
import { pageAt } from "./pages/places.js";
import { Login, LoginForm, Setup } from "./pages/login.js";
import { Reset } from "./pages/users.js";

/** The page of the present address. It gets the focus, and the title of the window follows it. */
function Page() {
  const { path } = here.value;
  const main = useRef(/** @type {HTMLElement | null} */ (null)), first = useRef(true);
  const [error, again] = useErrorBoundary(problem => console.error(problem));
  useEffect(() => { again(); }, [path]);
  useEffect(() => {
    const tell = () => { const title = main.current?.querySelector("h1")?.textContent; document.title = title ? `${title} · orderd` : "orderd"; };
    const watch = new MutationObserver(tell);
    tell();
    if (main.current) watch.observe(main.current, { childList: true, subtree: true });
    if (!first.current && !main.current?.contains(document.activeElement)) main.current?.focus({ preventScroll: true });
    first.current = false;
    return () => watch.disconnect();
  }, [path]);
  const place = pageAt(path);
  return html`<main id="main" tabindex="-1" ref=${main}>${error
    ? html`${head("Something went wrong")}<p>The page failed. Nothing was changed. <button onClick=${() => location.reload()}>Reload</button></p>`
    : !place ? html`${head("Nothing is here")}<p>No page has this address. <a href="${base}${landing()}">To the start</a></p>`
    : place.allowed ? place.page : html`${head("Not for your role")}<p>Your role can't see this. <a href="${base}${landing()}">To the start</a></p>`}</main>`;
}

function Shell() {
  const { path } = here.value;
  const places = menu();
  useEffect(() => may("orders:read") ? follow() : withoutFeed(), [me.value?.id]);
  useKeys({
    "Ctrl k": openPalette, "/": openPalette, "?": showKeys,
    "g h": () => go(landing()), "g o": () => go("/orders"), "g p": () => go("/payments"), "g a": () => go("/analytics"),
    ...(may("orders:create", "orders:create_own") ? { n: () => go("/orders/new") } : {}),
  });
  const current = (/** @type {string} */ to) => (to === "/" ? path === "/" : path === to || path.startsWith(to + "/")) ? "page" : undefined;
  const item = (/** @type {import("./lib/menu.js").Place} */ { to, name, sign }) => html`<a href=${base + to} aria-current=${current(to)}>${icon(sign)}<span>${name}</span></a>`;
  const who = me.value?.user?.name ?? me.value?.api_key?.name ?? "";
  return html`
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>Skip to the content</a>
    <aside>
      <a class="name" href=${base + landing()}>orderd</a>
      <button class="find" onClick=${openPalette}>${icon("search")} Find <kbd>/</kbd></button>
      <nav aria-label="Main">${places.map(item)}</nav>
      <div class="who">
        <a class="me" href="${base}/account" aria-current=${current("/account")}><b>${who}</b><small>${me.value?.role}</small></a>
        <button class="quiet square" aria-label="Light or dark" onClick=${turn}>${icon("moon")}</button>
        <button class="quiet" onClick=${leave}>Sign out</button>
      </div>
    </aside>
    <${Page} />
    <nav class="thumbs" aria-label="Main, for thumbs">${places.slice(0, 3).map(item)}
      <button onClick=${openPalette}>${icon("search")}<span>Find</span></button>
      <a href="${base}/account" aria-current=${current("/account")}>${icon("people")}<span>More</span></a></nav>
    ${ended.value && html`<${Again} />`}`;
}

/** The session ended while somebody worked: log-in stands over the page, which keeps what was typed. */
function Again() {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => { ref.current?.showModal(); }, []);
  return html`<dialog ref=${ref} aria-labelledby="again" onCancel=${(/** @type {Event} */ event) => event.preventDefault()}>
    <div class="frame"><header><h2 id="again">Your session has ended</h2></header><p class="pad">Sign in to go on. What you entered is still there.</p><${LoginForm} again=${true} /><p class="pad"><button class="quiet" onClick=${leave}>Sign out and leave it</button></p></div></dialog>`;
}

const leave = () => signOut().then(() => go("/login", { replace: true }), () => say("The server can't be reached. You are still signed in.", "bad"));

function turn() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = localStorage.theme = dark ? "light" : "dark";
}

function App() {
  const { path } = here.value;
  if (path === "/reset") return html`<${Reset} /><${Said} />`;
  if (me.value) return html`<${Shell} key=${me.value.id} /><${Dialogs} /><${Said} />`;
  return html`${path === "/setup" ? html`<${Setup} />` : html`<${Login} />`}<${Said} />`;
}

effect(() => { if (needsFactor.value && here.value.path !== "/account") queueMicrotask(() => go("/account", { replace: true })); });
// What hangs from a button closes when something else is pressed.
addEventListener("click", event => {
  for (const hanging of document.querySelectorAll("details:is(.choose, .more)[open]")) if (!hanging.contains(/** @type {Node} */ (event.target))) hanging.removeAttribute("open");
});
// Who is signed in has nothing to do at log-in. Home is of no use to those who see no figures and no order but their own.
effect(() => {
  const { path } = here.value;
  if (me.value && (path === "/login" || path === "/setup" || (path === "/" && isCustomer()))) queueMicrotask(() => go(landing(), { replace: true }));
});
await Promise.all([loadSettings().catch(() => {}), begin().catch(() => {})]);
if (!me.value && document.documentElement.dataset.setup && here.value.path !== "/setup") go("/setup", { replace: true });
if (me.value && here.value.path === "/" && landing() !== "/") go(landing(), { replace: true });
document.body.className = "";
document.body.replaceChildren();
render(html`<${App} />`, document.body);
