// Parts without state: functions that are called, so that their arguments are checked.
import { html } from "../vendor/preact.js";
import * as format from "../lib/format.js";
import { root } from "../lib/api.js";

/** A dot and a word. @param {string} status @param {string} [label] */
export const badge = (status, label = format.words(status)) => html`<span class="badge ${status}"><i></i>${label}</span>`;

/** @param {string} time */
export const when = time => html`<time datetime=${time} title=${format.at(time)}>${format.ago(time)}</time>`;

/** @param {string} title @param {any} content @param {any} [aside] @param {string} [kind] */
export const card = (title, content, aside, kind = "") => html`
  <section class="card ${kind}"><header><h2>${title}</h2>${aside}</header>${content}</section>`;

/** @param {any} title @param {any} [content] */
export const head = (title, content) => html`<header class="head"><h1 tabindex="-1">${title}</h1><span class="grow"></span>${content}</header>`;

/** Hands on what is typed or picked. @param {(to: string) => void} to */
export const typed = to => (/** @type {any} */ event) => to(event.target.value);

/** Why nothing is there, and what to do next. @param {string} title @param {any} words @param {any} [action] */
export const empty = (title, words, action) => html`<div class="empty"><h2>${title}</h2><p>${words}</p>${action}</div>`;

/** Grey lines in the shape of what is to come; they show after a moment only. @param {number} rows */
export const waiting = rows => html`<div class="waiting" role="status" aria-label="Loading">${Array.from({ length: rows }, () => html`<div></div>`)}</div>`;

/** Text of the API, in which names stand between grave accents. @param {string | undefined} text */
export const named = text => text?.split("`").map((part, index) => index % 2 ? html`<code>${part}</code>` : part);

/** @param {any} problem @param {() => void} retry */
export const failed = (problem, retry) => html`<div class="empty" role="alert"><h2>${problem.body?.title ?? "The server can't be reached"}</h2>
  <p>${named(problem.body?.detail) ?? "Check the connection. Nothing was changed."} ${reference(problem)}</p>
  <button type="button" onClick=${retry}>Retry</button></div>`;

/** The number under which the server's log has a problem, and what its page says. @param {any} problem */
export const reference = problem => problem?.body && html`<small class="reference">${problem.body.request_id && html`<code>${problem.body.request_id}</code>`}
  ${problem.body.type?.includes("/problems/") && html` <a href="${root}/problems/${problem.body.type.split("/problems/")[1]}" target="_blank" rel="noopener">What this means</a>`}</small>`;

/** What a loaded thing looks like in its four states. @template T @param {{data: T | undefined, problem: any, reload: () => void}} loaded @param {number} rows @param {(data: T) => any} there */
export const states = (loaded, rows, there) => loaded.data !== undefined ? there(loaded.data) : loaded.problem ? failed(loaded.problem, loaded.reload) : waiting(rows);

/** What stands below a list that goes on. @param {Loaded} loaded */
export const tail = ({ list, problem, more, end }) => html`<div class="end" ref=${end}>${problem ? failed(problem, more) : list?.next && waiting(3)}</div>`;

/** A list as a table, in its four states. @param {Loaded} loaded @param {any} nothing what stands there when it is empty @param {any} columns @param {(row: any) => any} row */
export const sheet = (loaded, nothing, columns, row) => !loaded.list ? loaded.problem ? failed(loaded.problem, loaded.reload) : waiting(8) : !loaded.list.rows.length ? nothing
  : html`<div class="sheet"><table><thead><tr>${columns}</tr></thead><tbody>${loaded.list.rows.map(row)}</tbody></table></div>${tail(loaded)}`;

/** One of a few, as a row of buttons. @param {string} label @param {[string, string][]} options @param {string} chosen @param {(to: string) => void} choose */
export const choice = (label, options, chosen, choose) => html`<div class="choice" role="group" aria-label=${label}>${options.map(([value, name]) =>
  html`<button type="button" aria-pressed=${value === chosen} onClick=${() => choose(value)}>${name}</button>`)}</div>`;

/** @param {string} label @param {string} value @param {[string, string][]} options @param {(to: string) => void} choose */
export const pick = (label, value, options, choose) => html`<label class="pick">${label}<select value=${value} onChange=${typed(choose)}>${options.map(([to, name]) =>
  html`<option value=${to} selected=${to === value}>${name}</option>`)}</select></label>`;

/** @param {[any, any][]} rows */
export const facts = rows => html`<dl class="facts">${rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
