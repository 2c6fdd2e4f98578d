// The feed of events. A browser keeps six connections to a server, so one visible tab asks and tells the others.
import { computed, signal } from "../vendor/preact.js";
import { ask } from "./api.js";

const NEWEST = 12, KEPT = 200, WAIT_S = 25, RETRY_MS = 5000;

/** The newest events, newest first. @type {Signal<OrderEvent[]>} */
export const latest = signal([]);
/** The number of the newest event; undefined until the feed has begun. */
export const head = computed(() => latest.value[0]?.seq);
/** Whether news come in at present. */
export const isLive = signal(false);

/** Adds events in ascending order. Events that are there already are passed over. @param {OrderEvent[]} events */
function take(events) {
  const fresh = events.filter(event => event.seq > (head.peek() ?? 0));
  if (fresh.length) latest.value = [...fresh.toReversed(), ...latest.peek()].slice(0, KEPT);
}

const tabs = new BroadcastChannel("events");
tabs.onmessage = (/** @type {MessageEvent<OrderEvent[]>} */ { data }) => { isLive.value = true; take(data); };

/** Resolves when the feed has begun; lists wait for it, so that they know what came after them. */
let begin = () => {};
export let begun = new Promise(done => { begin = () => done(undefined); });

/** Follows the feed while this tab is visible. Returns what ends it. */
export function follow() {
  let stop = new AbortController();
  const start = async () => {
    const { signal } = stop;
    try {
      if (!latest.peek().length) take((await ask(`/v1/events?order=desc&limit=${NEWEST}`, { signal })).data.toReversed());
      begin();
      // The tab that holds the lock may have told news before this one listened.
      await next(0, signal);
      const turn = () => poll(signal);
      await (navigator.locks ? navigator.locks.request("events", { signal }, turn) : turn());
    } catch { /* the tab was hidden, or the session ended */ }
    begin();
    isLive.value = false;
  };
  const turn = () => { stop.abort(); stop = new AbortController(); if (!document.hidden) start(); };
  document.addEventListener("visibilitychange", turn);
  turn();
  return () => { document.removeEventListener("visibilitychange", turn); stop.abort(); latest.value = []; };
}
/** Customers follow no feed. */
export const withoutFeed = () => begin();

/** @param {number} wait @param {AbortSignal} signal */
async function next(wait, signal) {
  const page = await ask(`/v1/events?after=${head.peek() ?? 0}&limit=200${wait ? `&wait=${wait}` : ""}`, { signal });
  take(page.data);
  return page.data;
}

/** @param {AbortSignal} signal */
async function poll(signal) {
  while (!signal.aborted) {
    try {
      isLive.value = true;
      const events = await next(WAIT_S, signal);
      tabs.postMessage(events);
    } catch (problem) {
      isLive.value = false;
      if (signal.aborted || /** @type {any} */ (problem).status < 500) return;
      await new Promise(done => setTimeout(done, RETRY_MS));
    }
  }
}
