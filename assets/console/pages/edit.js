// Customer, reference and note of an order. Only what was changed is sent; a change can be undone.
import { html, useState } from "../vendor/preact.js";
import { newKey, send } from "../lib/api.js";
import { close, frame, open, say } from "../ui/dialog.js";
import { Field, Trouble, submit, useForm, useUnsaved } from "../ui/field.js";
import { may } from "../lib/session.js";
import { conflict } from "./steps.js";

/** The field, its place in the document, and how it is typed. @type {[string, string[], object][]} */
const FIELDS = [
  ["Note", ["note"], { rows: 3 }],
  ["Name", ["customer", "name"], {}],
  ["E-mail", ["customer", "email"], { type: "email" }],
  ["Phone", ["customer", "phone"], { type: "tel" }],
  ["Address", ["customer", "address"], { rows: 3 }],
  ["Reference", ["external_ref"], {}],
];
/** @param {any} document @param {string[]} path @returns {string} */
const at = (document, path) => path.reduce((value, name) => value?.[name], document) ?? "";
/** A merge patch of these values. @param {[string[], string][]} values */
function patchOf(values) {
  const patch = /** @type {any} */ ({});
  for (const [path, value] of values) {
    if (path.length === 2) (patch[path[0]] ??= {})[path[1]] = value || null;
    else patch[path[0]] = value || null;
  }
  return patch;
}

/** @param {{order: Order, reload: () => Promise<void>, typed?: Record<string, string>}} props */
export function Edit({ order, reload, typed }) {
  const [values, setValues] = useState(/** @type {Record<string, string>} */ (typed ?? Object.fromEntries(FIELDS.map(([label, path]) => [label, at(order, path)]))));
  const changed = FIELDS.filter(([label, path]) => values[label] !== at(order, path));
  useUnsaved(changed.length > 0);
  const frozen = !["draft", "pending", "confirmed"].includes(order.status) || (order.status === "confirmed" && !may("orders:update"));
  const put = async (/** @type {[string[], string][]} */ patch, /** @type {number} */ version, /** @type {string} */ key) => send(`/v1/orders/${order.id}`, { method: "PATCH", body: patchOf(patch), version, key });
  const mine = /** @type {[string[], string][]} */ (changed.map(([label, path]) => [path, values[label]]));
  const before = /** @type {[string[], string][]} */ (changed.map(([, path]) => [path, at(order, path)]));
  const finish = async (/** @type {Order} */ after) => {
    close();
    await reload();
    say("Saved.", "good", () => put(before, after.version, newKey()).then(() => { say("Undone."); reload(); }, problem => say(problem.message, "bad")));
  };
  const form = useForm(async key => {
    if (!changed.length) return close();
    try {
      await finish(await put(mine, order.version, key));
    } catch (problem) {
      if (/** @type {any} */ (problem).status !== 412) throw problem;
      const fields = /** @type {[string, any, any][]} */ (changed.map(([label, path]) => [label, at(order, path), values[label]]));
      const apply = (/** @type {number} */ version) => put(mine, version, newKey()).then(finish, again => { open(html`<${Edit} order=${{ ...order, version }} reload=${reload} typed=${values} />`); say(again.message, "bad"); });
      await conflict(order, fields, apply, reload, (now, field) => at(now, FIELDS.find(([label]) => label === field)?.[1] ?? []));
    }
  });
  return frame(`Edit ${order.number ? `#${order.number}` : "draft"}`, html`<form class="form" ref=${form.element} onSubmit=${form.submit}><${Trouble} form=${form} />
    ${FIELDS.filter(([label]) => label !== "Reference" || !frozen).map(([label, path, more], i) => html`<${Field} label=${label} value=${values[label]} pointer="#/${path.join("/")}" fault=${form.at(`#/${path.join("/")}`)} autofocus=${i === 0} ...${more}
      onInput=${(/** @type {string} */ value) => setValues({ ...values, [label]: value })} />`)}
    <footer><button type="button" onClick=${close}>Back</button>${submit(form, "Save")}</footer></form>`);
}
