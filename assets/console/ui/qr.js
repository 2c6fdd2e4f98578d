// A QR code as SVG: dark on white with its quiet zone in both themes, because many readers do not read light on dark.
import { html } from "../vendor/preact.js";
import { generate } from "../vendor/qr.js";

/** The white edge that ISO/IEC 18004 asks for, in modules. */
const QUIET = 4;

/** @param {string} text what a reader gets @param {string} label what it is, for those who do not see it */
export function qrCode(text, label) {
  const code = generate(text), side = code.size + 2 * QUIET;
  let path = "";
  for (let y = 0; y < code.size; y++) for (let x = 0; x < code.size; x++) if (code.get(x, y)) path += `M${x + QUIET} ${y + QUIET}h1v1h-1z`;
  return html`<svg class="qr" role="img" viewBox="0 0 ${side} ${side}" shape-rendering="crispEdges"><title>${label}</title><path d=${path} /></svg>`;
}
