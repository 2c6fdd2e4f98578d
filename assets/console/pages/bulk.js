// Steps of several orders at once: at most 100, four at a time, with a result for each.
import { html, useState } from "../vendor/preact.js";
import { newKey, send } from "../lib/api.js";
import * as format from "../lib/format.js";
import { confirmDeed, say } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { may } from "../lib/session.js";
/** @typedef {"confirm" | "fulfil"} Step */

const MOST = 100, AT_ONCE = 4;
const DONE = { confirm: "confirmed", fulfil: "fulfilled" };

/** @param {{orders: Order[], onChange: (order: Order) => void, onDone: (failed: Map<string, string>) => void, onClear: () => void}} props */
export function BulkBar({ orders, onChange, onDone, onClear }) {
  const [busy, setBusy] = useState("");
  const run = async (/** @type {Step} */ step) => {
    const failed = new Map(), queue = [...orders];
    let done = 0;
    const work = async () => {
      for (let order = queue.shift(); order; order = queue.shift()) {
        try {
          onChange(await send(`/v1/orders/${order.id}/${step}`, { method: "POST", version: order.version, key: newKey() }));
          done++;
        } catch (problem) {
          failed.set(order.id, /** @type {Error} */ (problem).message);
        }
        setBusy(`${done + failed.size} of ${orders.length}`);
      }
    };
    setBusy(`0 of ${orders.length}`);
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    setBusy("");
    onDone(failed);
    say(`${format.some(done, "order")} ${DONE[step]}.${failed.size ? ` ${format.count(failed.size)} failed and stay chosen.` : ""}`, failed.size ? "bad" : "good");
  };
  const begin = (/** @type {Step} */ step, /** @type {string} */ name) => confirmDeed({ title: `${name} ${format.some(orders.length, "order")}?`, words: "Each order gets a result of its own. What can’t be done stays chosen.", deed: `${name} ${format.some(orders.length, "order")}`, run: async () => { run(step); } });
  const tooMany = orders.length > MOST;
  return html`<div class="bulk" role="region" aria-label="Chosen orders"><b role="status">${busy || (tooMany ? `At most ${MOST} at once` : `${format.count(orders.length)} chosen`)}</b>
    ${may("orders:transition") && html`<button disabled=${!!busy || tooMany} onClick=${() => begin("confirm", "Confirm")}>${icon("check")} Confirm</button><button disabled=${!!busy || tooMany} onClick=${() => begin("fulfil", "Fulfil")}>${icon("truck")} Fulfil</button>`}
    <button class="quiet" disabled=${!!busy} onClick=${onClear}>Clear</button></div>`;
}
