// Forms: fields with their faults, one key for one form, and what to do when no answer came.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { Unknown, ask, newKey } from "../lib/api.js";
import { unsaved } from "../lib/router.js";
import { named, reference } from "./parts.js";

/**
 * Sends a form. The key is made when the form opens and kept for every attempt until one succeeds.
 * @param {(key: string) => Promise<void>} run
 */
export function useForm(run) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const running = useRef(false), key = useRef(newKey());
  const element = useRef(/** @type {HTMLFormElement | null} */ (null));
  const submit = async (/** @type {Event | undefined} */ event) => {
    event?.preventDefault();
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setProblem(null);
    try {
      await run(key.current);
      key.current = newKey();
    } catch (problem) {
      setProblem(problem);
    }
    running.current = false;
    setBusy(false);
  };
  // The first fault gets the focus.
  useEffect(() => {
    if (problem?.body?.errors) /** @type {HTMLElement | null} */ (element.current?.querySelector("[aria-invalid=true]"))?.focus();
  }, [problem]);
  const clear = () => { if (problem) setProblem(null); };
  return { busy, problem, submit, clear, element, key: key.current, at: (/** @type {string} */ pointer) => /** @type {string} */ (problem?.at?.(pointer) ?? "") };
}

/** Warns before a page with unsaved input is left. @param {boolean} dirty */
export function useUnsaved(dirty) {
  const me = useRef({});
  useEffect(() => {
    if (dirty) unsaved.add(me.current); else unsaved.delete(me.current);
    return () => { unsaved.delete(me.current); };
  }, [dirty]);
}

/** @typedef {{label: string, value: string, onInput: (value: string) => void, pointer?: string, fault?: string, hint?: any, type?: string, rows?: number, options?: [string, string][], [more: string]: any}} FieldProps */
let fields = 0;
/** A labelled field with its hint and its fault. @param {FieldProps} props */
export function Field({ label, value, onInput, pointer, fault = "", hint, type = "text", rows, options, ...more }) {
  const id = useRef(`f${++fields}`).current;
  const describedby = [fault && `${id}-fault`, hint && `${id}-hint`].filter(Boolean).join(" ") || undefined;
  const common = { id, value, "aria-invalid": !!fault, "aria-describedby": describedby, "data-pointer": pointer, onInput: (/** @type {any} */ event) => onInput(event.target.value), autocomplete: "off", ...more };
  return html`<div class="field"><label for=${id}>${label}</label>
    ${options ? html`<select ...${common}>${options.map(([to, name]) => html`<option value=${to} selected=${to === value}>${name}</option>`)}</select>`
      : rows ? html`<textarea rows=${rows} ...${common}></textarea>` : html`<input type=${type} ...${common} />`}
    ${fault && html`<p class="fault" id="${id}-fault">${sentence(label, fault)}</p>`}${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}</div>`;
}

/** "must be at most 5" becomes "Amount must be at most 5." @param {string} label @param {string} fault */
export const sentence = (label, fault) => /^[a-z]/.test(fault) ? `${label} ${fault}${fault.endsWith(".") ? "" : "."}` : fault;

/**
 * What stands above a form that failed: faults that no field shows, and what to do when it is not known whether it was done.
 * @param {{form: ReturnType<typeof useForm>}} props
 */
export function Trouble({ form }) {
  const { problem } = form;
  const [looked, setLooked] = useState("");
  useEffect(() => setLooked(""), [problem]);
  if (!problem) return null;
  if (problem instanceof Unknown) {
    const look = async () => setLooked(await ask(`/v1/idempotency-keys/${form.key}`).then(() => "It was done. Trying again shows its result and does nothing twice.", found => found.status === 404 ? "It was not done." : "The server still does not answer."));
    return html`<div class="alert" role="alert"><b>We don’t know yet</b><p>No answer came. It may have been done. Trying again is safe: it is done once at most.</p>
      <p><button type="button" class="main" disabled=${form.busy} onClick=${() => form.submit(undefined)}>Try again</button> <button type="button" onClick=${look}>Look</button> ${looked}</p></div>`;
  }
  const shown = new Set([...form.element.current?.querySelectorAll("[data-pointer]") ?? []].map(field => /** @type {HTMLElement} */ (field).dataset.pointer));
  const errors = /** @type {{pointer?: string, detail: string}[]} */ (problem.body?.errors ?? []);
  const rest = errors.filter(error => !shown.has(error.pointer));
  return html`<div class="alert" role="alert"><b>${problem.body?.title ?? "The server can’t be reached. Nothing was changed."}</b>
    <p>${errors.length ? errors.length > rest.length ? `${errors.length - rest.length === 1 ? "One field" : `${errors.length - rest.length} fields`} below to mend.` : "" : named(problem.body?.detail)}</p>
    ${rest.length > 0 && html`<ul>${rest.map(error => html`<li>${(error.pointer ?? "").replace("#/", "").replaceAll("/", " ")} ${named(error.detail)}</li>`)}</ul>`}${reference(problem)}</div>`;
}

/** @param {{label: any, checked: boolean, onChange: (to: boolean) => void}} props */
export const tick = ({ label, checked, onChange, ...more }) => html`<label class="tickline"><input type="checkbox" checked=${checked} onChange=${(/** @type {any} */ event) => onChange(event.target.checked)} ...${more} /> <span>${label}</span></label>`;

/** The button of a form: while it waits it says so and can't be pressed. @param {ReturnType<typeof useForm>} form @param {any} label @param {string} [kind] @param {boolean} [disabled] */
export const submit = (form, label, kind = "main", disabled = false) => html`<button class=${kind} disabled=${form.busy || disabled} aria-busy=${form.busy}>${form.busy ? "Sending …" : label}</button>`;
