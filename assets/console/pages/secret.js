// @ts-check
// A secret, shown once.
import { html } from "../vendor/preact.js";
import { close, frame, open, say } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";

/** @param {string} title @param {string} secret @param {any} words */
export const showSecret = (title, secret, words) => open(frame(title, html`<div class="form"><p>${words}</p><p class="secret"><code>${secret}</code><button type="button" onClick=${() => navigator.clipboard.writeText(secret).then(() => say("Copied."), () => say("Select it and copy it by hand.", "bad"))}>${icon("copy")} Copy</button></p>
  <p class="hint">It is not shown again.</p><footer><button type="button" class="main" onClick=${close}>Done</button></footer></div>`));
