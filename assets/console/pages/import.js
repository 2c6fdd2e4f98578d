// Orders from a file: sent as it is, with a result for each line. A broken import is simply sent again.
import { html, useRef, useState } from "../vendor/preact.js";
import { request } from "../lib/api.js";
import * as format from "../lib/format.js";
import { base } from "../lib/router.js";
import { say } from "../ui/dialog.js";
import { icon } from "../ui/icons.js";
import { card, head, reference } from "../ui/parts.js";

const MOST_SHOWN = 200;
/** @typedef {{created: number, exists: number, failed: number, faults: {line: number, problem: any}[]}} Summary */

/** Reads results as they come. @param {ReadableStream<Uint8Array>} body @param {(row: any) => void} take */
async function lines(body, take) {
  let rest = "";
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    const parts = (rest + value).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part) take(JSON.parse(part));
  }
}

export function Import() {
  const [summary, setSummary] = useState(/** @type {Summary | null} */ (null));
  const [state, setState] = useState("");
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const file = useRef(/** @type {HTMLInputElement | null} */ (null));
  const run = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const chosen = file.current?.files?.[0];
    if (!chosen || state === "busy") return;
    setState("busy");
    setProblem(null);
    const sum = /** @type {Summary} */ ({ created: 0, exists: 0, failed: 0, faults: [] });
    try {
      const answer = await request("/v1/orders/import", { method: "POST", raw: chosen, type: "application/x-ndjson", accept: "application/x-ndjson" });
      if (answer.body) await lines(answer.body, row => {
        sum[/** @type {"created"} */ (row.result)]++;
        if (row.problem && sum.faults.length < MOST_SHOWN) sum.faults.push(row);
        if ((sum.created + sum.exists + sum.failed) % 100 === 0) setSummary({ ...sum });
      });
      say(`${format.some(sum.created, "order")} imported.`, sum.failed ? "bad" : "good");
    } catch (problem) {
      setProblem(problem);
    }
    setSummary({ ...sum });
    setState("done");
  };
  return html`<a class="back" href="${base}/orders">${icon("back")} Orders</a>${head("Import orders")}
    ${card("File", html`<form class="form" onSubmit=${run}><p>A file with one order in JSON on each line, as <code>POST /v1/orders</code> takes it, each with an <code>external_ref</code>. Orders that are there already are passed over, so a file can be sent again.</p>
      <div class="field"><label for="file">File (NDJSON)</label><input id="file" type="file" accept=".ndjson,.jsonl,.json,application/x-ndjson" required ref=${file} /></div><footer><button class="main" disabled=${state === "busy"}>${state === "busy" ? "Importing …" : html`${icon("upload")} Import`}</button></footer></form>`)}
    ${problem && html`<div class="alert" role="alert"><b>${problem.body?.title ?? "The import stopped: no answer came."}</b><p>${problem.body?.detail ?? "Send the file again: what is there already is passed over."}</p>${reference(problem)}</div>`}
    ${summary && card("Result", html`<div class="pad" role="status"><p><b>${format.count(summary.created)}</b> created, <b>${format.count(summary.exists)}</b> there already, <b>${format.count(summary.failed)}</b> failed.</p></div>
      ${summary.faults.length > 0 && html`<table><thead><tr><th>Line</th><th>What is wrong</th></tr></thead><tbody>${summary.faults.map(({ line, problem }) => html`<tr><td class="num">${format.count(line)}</td><td>${problem.title}${problem.errors?.map((/** @type {any} */ error) => html`<small class="under">${error.pointer?.replace("#/", "")} ${error.detail}</small>`) ?? html`<small class="under">${problem.detail}</small>`}</td></tr>`)}</tbody></table>`}`)}`;
}
