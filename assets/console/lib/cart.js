// What is typed into the form of an order, and what becomes of it.
import { parseMoney, parseRate as readRate, plainMoney, showRate } from "./money.js";
import { parseRate, price, tax } from "./prices.js";
/** @typedef {{sku: string, name: string, quantity: string, price: string, discount: string, tax: string}} Line */
/** @typedef {{name: string, amount: string, tax: string}} Fee */
/** @typedef {{currency: string, included: boolean, lines: Line[], fees: Fee[], discount: string, fields: Record<string, string>}} Cart */

export const blank = () => ({ sku: "", name: "", quantity: "1", price: "", discount: "", tax: "" });
export const used = (/** @type {Line} */ line) => !!(line.name || line.price);
const skuOf = (/** @type {string} */ name) => name.trim().toUpperCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 64) || "ITEM";

/** @param {Order} order @returns {Cart} */
export const cartOf = order => {
  const f = (/** @type {number} */ amount) => amount ? plainMoney(amount, order.currency) : "";
  return {
    currency: order.currency, included: order.prices_include_tax, discount: f(order.order_discount_amount), fields: {},
    lines: order.items.map(item => ({ sku: item.sku, name: item.name, quantity: String(item.quantity), price: plainMoney(item.unit_amount, order.currency), discount: f(item.discount_amount), tax: item.tax_rate ? showRate(item.tax_rate) : "" })),
    fees: order.fees.map(fee => ({ name: fee.name, amount: plainMoney(fee.amount, order.currency), tax: fee.tax_rate ? showRate(fee.tax_rate) : "" })),
  };
};

/** A discount as an amount: it is typed as one, or as a percentage of what it is taken off. Null if it is neither. @param {string} text @param {number} base @param {string} currency */
export function discountOf(text, base, currency) {
  if (!text.trim().endsWith("%")) return parseMoney(text, currency);
  const rate = readRate(text);
  return parseRate(rate) === null ? null : tax(Math.max(0, base), rate, false);
}
/** What the lines come to before their discounts, and what is left after them. @param {Cart} cart */
function goodsOf(cart) {
  const full = cart.lines.map(line => quantityOf(line) * (parseMoney(line.price || "0", cart.currency) ?? 0));
  return { full, left: cart.lines.reduce((sum, line, i) => sum + full[i] - (discountOf(line.discount || "0", full[i], cart.currency) ?? 0), 0) };
}
const quantityOf = (/** @type {Line} */ line) => Math.max(0, Math.trunc(Number(line.quantity)) || 0);

/** The cart as the API takes it. What can't be read stays as it was typed, so that the server names the fault. @param {Cart} cart */
export function bodyOf(cart) {
  const amount = (/** @type {string} */ text) => text.trim() === "" ? undefined : parseMoney(text, cart.currency) ?? text;
  const rate = (/** @type {string} */ text) => text.trim() ? readRate(text) : undefined;
  const goods = goodsOf(cart), discount = (/** @type {string} */ text, /** @type {number} */ base) => text.trim() === "" ? undefined : discountOf(text, base, cart.currency) ?? text;
  return {
    items: cart.lines.flatMap((line, i) => !used(line) ? [] : [{ sku: line.sku || skuOf(line.name), name: line.name, quantity: /^\d+$/.test(line.quantity.trim()) ? Number(line.quantity) : line.quantity, unit_amount: amount(line.price), discount_amount: discount(line.discount, goods.full[i]), tax_rate: rate(line.tax) }]),
    fees: cart.fees.filter(fee => fee.name || fee.amount).map(fee => ({ name: fee.name, amount: amount(fee.amount), tax_rate: rate(fee.tax) })),
    order_discount_amount: discount(cart.discount, goods.left) ?? 0, prices_include_tax: cart.included,
  };
}

/** @param {Cart} cart */
export function totals(cart) {
  const n = (/** @type {string} */ text) => parseMoney(text || "0", cart.currency) ?? 0;
  const goods = goodsOf(cart), discount = (/** @type {string} */ text, /** @type {number} */ base) => discountOf(text || "0", base, cart.currency) ?? 0;
  return price(cart.lines.map((line, i) => ({ quantity: quantityOf(line), unit: n(line.price), discount: discount(line.discount, goods.full[i]), rate: readRate(line.tax) })),
    cart.fees.map(fee => ({ amount: n(fee.amount), rate: readRate(fee.tax) })), discount(cart.discount, goods.left), cart.included);
}
