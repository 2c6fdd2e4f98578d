// Who is signed in, and what they may do.
import { computed, signal } from "../vendor/preact.js";
import { ask, sessionEnded } from "./api.js";

// Who comes from the provider of OpenID Connect begins anew.
if (location.hash.startsWith("#claim=")) delete localStorage.consoleKey;
/** Who is signed in: the last one at first, so that the page shows at once; null when nobody is. @type {Signal<Me | null>} */
export const me = signal(localStorage.consoleKey && localStorage.me ? JSON.parse(localStorage.me) : null);
/** Whether the server ended the session while somebody worked: log-in then stands over the page. */
export const ended = signal(false);
/** Whether the role asks for a second factor that is not set up yet. */
export const needsFactor = signal(false);
/** Counts log-ins, so that pages load again after one. */
export const logins = signal(0);

const permissions = computed(() => new Set(/** @type {string[]} */ (me.value?.permissions ?? [])));
/** @param {string[]} names */
export const may = (...names) => names.some(name => permissions.value.has(name));
/** Whether the caller sees own orders only. */
export const isCustomer = () => !may("orders:read") && may("orders:read_own");

/** Asks who this is. */
export async function load() {
  if (!localStorage.consoleKey) return forget();
  try {
    const now = await ask("/v1/auth/me");
    localStorage.me = JSON.stringify(now);
    if (JSON.stringify(me.peek()) !== localStorage.me) me.value = now;
    ended.value = false;
  } catch (problem) {
    if (/** @type {any} */ (problem).status !== 401) throw problem;
    if (!ended.peek()) forget();
  }
}

/** Asks who this is as the page opens. Nothing is typed yet, so a session that has ended is forgotten. */
export async function begin() {
  await load();
  if (ended.peek()) forget();
}

function forget() {
  delete localStorage.me;
  delete localStorage.consoleKey;
  me.value = null;
  ended.value = false;
  needsFactor.value = false;
}

/** @param {{email: string, password: string, code?: string} | {claim: string}} credentials */
export async function signIn(credentials) {
  localStorage.consoleKey = (await ask("/v1/auth/session", { method: "POST", body: credentials })).console_key;
  await load();
  logins.value++;
  tabs.postMessage("in");
}

export async function signOut() {
  await ask("/v1/auth/session", { method: "DELETE" }).catch(problem => { if (problem.status !== 401) throw problem; });
  forget();
  tabs.postMessage("out");
}

// Tabs sign in and out together.
const tabs = new BroadcastChannel("session");
tabs.onmessage = (/** @type {MessageEvent<"in" | "out">} */ { data }) => {
  if (data === "out") return forget();
  load().then(() => { logins.value++; }, () => {});
};
sessionEnded.addEventListener("factor", () => { needsFactor.value = true; });
sessionEnded.addEventListener("ended", () => { if (me.peek()) ended.value = true; });
