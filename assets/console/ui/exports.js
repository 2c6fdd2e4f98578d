// What is in a list or a report, as a file. A link can't save it: the browser would not send the header.
import { html } from "../vendor/preact.js";
import { save } from "../lib/api.js";
import { say } from "./dialog.js";
import { icon } from "./icons.js";

/** The name of a file, what it is for, its ending, and how the API is asked for it. */
const CSV = /** @type {const} */ (["CSV", "For programs: amounts in minor units", "csv", ""]);
const EXCEL = /** @type {const} */ (["Excel", "A CSV file for spreadsheets: amounts as decimals", "csv", "style=excel"]);
const PICTURE = /** @type {const} */ (["Picture", "The chart, as SVG", "svg", ""]);
export const OF_LISTS = [CSV, EXCEL], OF_REPORTS = [CSV, EXCEL, PICTURE];

/** Buttons that save all that the filter leaves. @param {string} path @param {string} filter @param {typeof OF_REPORTS | typeof OF_LISTS} kinds */
export const exports = (path, filter, kinds = OF_LISTS) => kinds.map(([name, title, ending, style]) => html`<button class=${style ? "" : "ondesk"} title=${title}
  onClick=${() => save(`${path}.${ending}?${[filter, style].filter(Boolean).join("&")}`).catch(problem => say(problem.message, "bad"))}>${icon("download")} ${name}</button>`);
