// Webhook endpoints: what is sent where, whether it arrives, and sending it again.
import { html, useEffect, useState } from "../vendor/preact.js";
import { ask } from "../lib/api.js";
import * as format from "../lib/format.js";
import { useList, useLoad } from "../lib/load.js";
import { base, change, here } from "../lib/router.js";
import { close, confirmDeed, frame, open, say, showSecret } from "../ui/dialog.js";
import { Field, Trouble, submit, tick, useForm } from "../ui/field.js";
import { icon } from "../ui/icons.js";
import { badge, card, empty, facts, head, pick, sheet, states, typed, when } from "../ui/parts.js";

const TYPES = ["order.created", "order.updated", "order.placed", "order.confirmed", "order.fulfilled", "order.cancelled", "order.erased", "payment.recorded", "payment.updated", "refund.recorded", "refund.updated"];
/** How soon deliveries are looked at again, how late at most, and how many are followed: one page. */
const FOLLOW_MS = 1500, LONGEST_MS = 600_000, SHOWN = 100;
const told = (/** @type {Promise<any>} */ deed) => deed.catch(problem => say(problem.message, "bad"));

export function Webhooks() {
  const loaded = useList("/v1/webhooks"), { reload } = loaded;
  return html`${head("Webhooks", html`<button class="main" onClick=${() => open(html`<${EditHook} hook=${null} done=${reload} />`)}>${icon("plus")} New endpoint</button>`)}
    ${sheet(loaded, empty("No endpoints yet", "An endpoint is an address of another program that is told what happens to orders."),
      html`<th>Address</th><th>Events</th><th>Status</th>`,
      hook => html`<tr key=${hook.id}><td><a href="${base}/webhooks/${hook.id}">${hook.url}</a> <small>${hook.description}</small></td><td><small>${hook.events ? hook.events.join(" · ") : "all"}</small></td><td>${badge(hook.status)}${hook.failing_since && html`<small class="under fault">failing ${when(hook.failing_since)}</small>`}</td></tr>`)}`;
}

/** @param {{hook: any, done: () => Promise<void>}} props */
function EditHook({ hook, done }) {
  const [url, setUrl] = useState(hook?.url ?? "https://"), [description, setDescription] = useState(hook?.description ?? "");
  const [events, setEvents] = useState(/** @type {string[] | null} */ (hook?.events ?? null));
  const form = useForm(async () => {
    const body = { url, events, description: description || null };
    const saved = hook ? await ask(`/v1/webhooks/${hook.id}`, { method: "PATCH", body }) : await ask("/v1/webhooks", { method: "POST", body });
    close();
    await done();
    if (saved.secret) showSecret("Secret of the endpoint", saved.secret, "The receiver checks the signature of each message with it."); else say("Saved.");
  });
  const flip = (/** @type {string} */ type) => setEvents(events?.includes(type) ? events.filter(one => one !== type) : [...events ?? [], type]);
  return frame(hook ? "Change endpoint" : "New endpoint", html`<form class="form wider" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} /><${Field} label="Address" type="url" value=${url} onInput=${setUrl} pointer="#/url" fault=${form.at("#/url")} autofocus required />
    <${Field} label="Description" value=${description} onInput=${setDescription} pointer="#/description" fault=${form.at("#/description")} />${tick({ label: "All events", checked: events === null, onChange: all => setEvents(all ? null : ["order.created"]) })}
    ${events && html`<fieldset><legend>Events</legend><div class="ticks">${TYPES.map(type => tick({ label: type, checked: events.includes(type), onChange: () => flip(type) }))}</div></fieldset>`}<footer><button type="button" onClick=${close}>Back</button>${submit(form, hook ? "Save" : "Create endpoint")}</footer></form>`);
}

/** @param {{id: string}} props */
export function WebhookPage({ id }) {
  const hook = useLoad(() => ask(`/v1/webhooks/${id}`), [id]);
  const status = here.value.query.get("status") ?? "";
  const loaded = useList(`/v1/webhooks/${id}/deliveries${status && `?status=${status}`}`, { count: false }), { list, reload } = loaded;
  // Deliveries that are under way are followed.
  const due = Math.min(...(list?.rows ?? []).filter(row => row.status === "pending").map(row => Date.parse(row.next_attempt_at ?? "") || 0));
  useEffect(() => {
    if (due === Infinity || (list?.rows.length ?? 0) > SHOWN) return;
    const timer = setTimeout(reload, Math.min(LONGEST_MS, Math.max(FOLLOW_MS, due - Date.now())));
    return () => clearTimeout(timer);
  }, [list]);
  const post = async (/** @type {string} */ path, /** @type {string} */ said, /** @type {object | undefined} */ body = undefined) => { await ask(`/v1/webhooks/${id}/${path}`, { method: "POST", body }); say(said); await reload(); };
  const remove = (/** @type {any} */ one) => confirmDeed({ title: "Delete this endpoint?", words: `Nothing is sent to ${one.url} any more, and its deliveries are forgotten.`, deed: "Delete endpoint", run: async () => { await ask(`/v1/webhooks/${id}`, { method: "DELETE" }); location.assign(`${base}/webhooks`); } });
  const rotate = () => confirmDeed({ title: "Make a new secret?", words: "Both sign for 24 hours, so that the receiver has time to change.", deed: "New secret", run: async () => { const made = await ask(`/v1/webhooks/${id}/rotate`, { method: "POST" }); queueMicrotask(() => showSecret("New secret", made.secret, "Give it to the receiver within 24 hours.")); } });
  return html`<a class="back" href="${base}/webhooks">${icon("back")} Webhooks</a>${states(hook, 5, one => html`<header class="head"><h1 tabindex="-1">${new URL(one.url).host}</h1>${badge(one.status)}<span class="grow"></span>
      <button onClick=${() => told(post("ping", "A ping is on its way."))}>Ping</button><button onClick=${() => open(html`<${EditHook} hook=${one} done=${hook.reload} />`)}>${icon("edit")} Change</button><button onClick=${rotate}>${icon("keys")} New secret</button>
      <button onClick=${() => told(ask(`/v1/webhooks/${id}`, { method: "PATCH", body: { status: one.status === "active" ? "disabled" : "active" } }).then(hook.reload))}>${one.status === "active" ? "Disable" : "Enable"}</button><button onClick=${() => remove(one)}>Delete</button></header>
    ${one.disabled_reason && html`<p class="tell">Disabled: ${one.disabled_reason}</p>`}${card("Endpoint", facts([["Address", one.url], ["Events", one.events ? one.events.join(", ") : "all"], ["Description", one.description], ["Failing since", one.failing_since && format.at(one.failing_since)], ["Made", format.at(one.created_at)]]))}
    <div class="filters">${pick("Status", status, [["", "Any"], ["pending", "Pending"], ["delivered", "Delivered"], ["failed", "Failed"]], to => change({ status: to }))}<${Replay} run=${(/** @type {number} */ after) => told(post("replay", "The events are being sent again.", { after }))} /></div>
    ${sheet(loaded, empty("No deliveries", "What is sent to this endpoint stands here for 30 days."),
      html`<th>Event</th><th>Status</th><th>Last attempt</th><th>Next</th><th><span class="unseen">Deeds</span></th>`,
      row => { const last = row.attempts[row.attempts.length - 1]; return html`<tr key=${row.id}><td><code>${row.type}</code></td><td>${badge(row.status)}</td><td>${last ? html`${last.status_code ?? ""} ${last.error ?? ""} <small>${when(last.at)}, ${format.count(last.duration_ms)} ms, ${format.some(row.attempts.length, "attempt")}</small>` : "–"}</td><td>${row.next_attempt_at ? when(row.next_attempt_at) : ""}</td>
        <td class="num">${row.status !== "delivered" && html`<button class="quiet" onClick=${() => told(post(`deliveries/${row.id}/retry`, "It is being sent again."))}>Try again</button>`}</td></tr>`; })}`)}`;
}

/** @param {{run: (after: number) => void}} props */
function Replay({ run }) {
  const [after, setAfter] = useState("");
  return html`<form class="filters" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); if (/^\d+$/.test(after)) run(Number(after)); }}><label class="pick">Send again after event <input inputmode="numeric" size="8" value=${after} onInput=${typed(setAfter)} /></label><button>Replay</button></form>`;
}
