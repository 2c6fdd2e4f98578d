// Steps of an order, and what happens when a colleague was faster.
import { html } from "../vendor/preact.js";
import { ask, newKey, send } from "../lib/api.js";
import * as format from "../lib/format.js";
import { who } from "../lib/words.js";
import { close, frame, open, say } from "../ui/dialog.js";

/** @type {Record<string, string>} */
const DONE = { place: "placed", confirm: "confirmed", fulfil: "fulfilled" };

/** @param {Order} order @param {string} step @param {string} key @param {() => Promise<void>} reload */
export async function takeStep(order, step, key, reload) {
  try {
    const after = await send(`/v1/orders/${order.id}/${step}`, { method: "POST", version: order.version, key });
    say(`Order #${after.number} is ${DONE[step]}.`);
  } catch (problem) {
    const { status, message } = /** @type {any} */ (problem);
    if (status === 412) return conflict(order, [["Status", order.status, DONE[step]]], version => takeStep({ ...order, version }, step, newKey(), reload), reload);
    say(status ? message : "We don’t know yet whether it was done: look at the order, then try again.", "bad");
  }
  await reload();
}

/**
 * Nothing was done, because the order has changed. Shows who did what, and both sides by field.
 * @param {Order} seen what the reader saw @param {[string, any, any][]} mine the field, what it was, what the reader wants
 * @param {(version: number) => any} apply @param {() => Promise<void>} reload
 * @param {(order: Order, field: string) => any} [theirs] the present value of a field
 */
export async function conflict(seen, mine, apply, reload, theirs = order => order.status) {
  const [order, events] = await Promise.all([ask(`/v1/orders/${seen.id}`), ask(`/v1/orders/${seen.id}/events?limit=200`)]);
  await reload();
  const since = events.data.filter((/** @type {any} */ event) => event.version > seen.version);
  open(frame("Somebody changed this order", html`<div class="form"><p>Nothing was done. ${since.map((/** @type {any} */ event) => html`<b>${who(event)}</b>: ${format.words(event.type.replace(".", " "))}, ${format.ago(event.occurred_at)}. `)}</p>
    <table><thead><tr><th>Field</th><th>Theirs</th><th>Yours</th></tr></thead><tbody>${mine.map(([field, , wanted]) => html`<tr><td>${field}</td><td>${shown(theirs(order, field))}</td><td>${shown(wanted)}</td></tr>`)}</tbody></table>
    <footer><button type="button" onClick=${close}>Take theirs</button><button type="button" class="main" autofocus onClick=${() => { close(); apply(order.version); }}>Apply mine</button></footer></div>`));
}

/** @param {any} value */
const shown = value => value === null || value === undefined || value === "" ? html`<small>nothing</small>` : String(value);
