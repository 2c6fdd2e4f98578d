// What is on top of the page: a dialog, and short words at the bottom.
import { html, signal, useLayoutEffect, useRef } from "../vendor/preact.js";
import { icon } from "./icons.js";

/** What is shown on top, or null. @type {Signal<any>} */
const shown = signal(null);
/** @param {any} content */
export const open = content => { shown.value = content; };
export const close = () => { shown.value = null; };

/** A modal dialog: the browser's own, which keeps the focus, closes on Escape and gives the focus back. */
export function Dialogs() {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const content = shown.value;
  // The event of a dialog that the page closed comes late: the next one may be open by then, and must stay.
  const ours = useRef(0);
  const closed = () => { if (ours.current) ours.current--; else close(); };
  // Not an effect after the next paint: what somebody types until then would be lost.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    if (content && !dialog.open) dialog.showModal();
    if (!content && dialog.open) { ours.current++; dialog.close(); }
    if (content) /** @type {HTMLElement | null} */ (dialog.querySelector("[autofocus]"))?.focus();
  }, [content]);
  return html`<dialog ref=${ref} aria-labelledby="dialog-title" onClose=${closed} onMouseDown=${(/** @type {any} */ event) => event.target === ref.current && close()}>${content}</dialog>`;
}

/** @param {any} title @param {any} content */
export const frame = (title, content) => html`
  <div class="frame"><header><h2 id="dialog-title">${title}</h2><button type="button" class="quiet square" aria-label="Close" onClick=${close}>${icon("close")}</button></header>${content}</div>`;

/** Asks before what can't be taken back. The button names the deed. @param {{title: string, words: any, deed: string, run: () => Promise<void>}} props */
export function confirmDeed({ title, words, deed, run }) {
  open(html`<${Deed} ...${{ title, words, deed, run }} />`);
}
/** @param {{title: string, words: any, deed: string, run: () => Promise<void>}} props */
function Deed({ title, words, deed, run }) {
  const busy = useRef(false);
  const go = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy.current) return;
    busy.current = true;
    try { await run(); close(); } catch (problem) { say(/** @type {any} */ (problem).message, "bad"); }
    busy.current = false;
  };
  return frame(title, html`<form class="form" onSubmit=${go}><p>${words}</p><footer><button type="button" onClick=${close}>Back</button><button class="main danger" autofocus>${deed}</button></footer></form>`);
}

/** A secret, shown once. @param {string} title @param {string} secret @param {any} words */
export const showSecret = (title, secret, words) => open(frame(title, html`<div class="form"><p>${words}</p><p class="secret"><code>${secret}</code><button type="button" onClick=${() => navigator.clipboard.writeText(secret).then(() => say("Copied."), () => say("Select it and copy it by hand.", "bad"))}>${icon("copy")} Copy</button></p>
  <p class="hint">It is not shown again.</p><footer><button type="button" class="main" onClick=${close}>Done</button></footer></div>`));

/** @typedef {{text: string, kind: string, undo?: () => void}} Words */
/** @type {Signal<Words | null>} */
const said = signal(null);
let timer = 0;
/** @param {string} text @param {"good" | "bad"} [kind] @param {() => void} [undo] */
export function say(text, kind = "good", undo) {
  said.value = { text, kind, undo };
  clearTimeout(timer);
  timer = window.setTimeout(() => { said.value = null; }, undo || kind === "bad" ? 12_000 : 6_000);
}
/** The one polite live region of the page. */
export const Said = () => html`<div class="said" role="status" aria-live="polite">${said.value && html`<p class=${said.value.kind}>${said.value.text}
  ${said.value.undo && html`<button type="button" onClick=${() => { const undo = said.value?.undo; said.value = null; undo?.(); }}>Undo</button>`}</p>`}</div>`;
