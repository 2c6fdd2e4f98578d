// Totals while somebody types, computed as the server does: exact, halves away from zero. What counts is its answer.

/** part of a whole: `round(amount × part / whole)`. @param {number} amount @param {number} part @param {number} whole */
export const share = (amount, part, whole) => whole ? Number(round(BigInt(amount) * BigInt(part), BigInt(whole))) : 0;

/** @param {bigint} n not negative @param {bigint} d */
const round = (n, d) => (2n * n + d) / (2n * d);

/** Percent with at most four decimals, in ten-thousandths of a percent; null if it is no rate. @param {string} rate */
export function parseRate(rate) {
  const match = /^(\d{1,3})(?:\.(\d{1,4}))?$/.exec(rate);
  const n = match && BigInt(match[1] + (match[2] ?? "").padEnd(4, "0"));
  return n !== null && n <= 1_000_000n ? n : null;
}

/** @param {number} base @param {string} rate @param {boolean} included */
export function tax(base, rate, included) {
  const n = parseRate(rate || "0") ?? 0n;
  return Number(included ? round(BigInt(base) * n, 1_000_000n + n) : round(BigInt(base) * n, 1_000_000n));
}

/** @typedef {{quantity: number, unit: number, discount: number, rate: string}} Line */
/** @typedef {{amount: number, rate: string}} Fee */

/** Shares an order's discount among lines by largest remainder; equal remainders: the earlier line. @param {number} discount @param {number[]} weights */
export function allocate(discount, weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!total) return weights.map(() => 0);
  const parts = weights.map(weight => { const n = BigInt(discount) * BigInt(weight); return { whole: Number(n / BigInt(total)), rest: n % BigInt(total) }; });
  let left = discount - parts.reduce((sum, part) => sum + part.whole, 0);
  const order = parts.map((_, i) => i).sort((a, b) => parts[a].rest === parts[b].rest ? a - b : parts[a].rest > parts[b].rest ? -1 : 1);
  for (const i of order) { if (left <= 0) break; parts[i].whole++; left--; }
  return parts.map(part => part.whole);
}

/** @param {Line[]} lines @param {Fee[]} fees @param {number} discount @param {boolean} included whether prices include tax */
export function price(lines, fees, discount, included) {
  const goods = lines.map(line => line.quantity * line.unit - line.discount);
  const allocated = allocate(Math.min(discount, goods.reduce((sum, one) => sum + Math.max(0, one), 0)), goods.map(one => Math.max(0, one)));
  const total = (/** @type {number} */ base, /** @type {string} */ rate) => { const of = tax(Math.max(0, base), rate, included); return { tax: of, total: Math.max(0, base) + (included ? 0 : of) }; };
  const priced = lines.map((line, i) => total(goods[i] - allocated[i], line.rate)), charged = fees.map(fee => total(fee.amount, fee.rate));
  const sum = (/** @type {number[]} */ amounts) => amounts.reduce((one, other) => one + other, 0);
  return {
    lines: priced.map(line => line.total), fees: charged.map(fee => fee.total),
    subtotal: sum(lines.map(line => line.quantity * line.unit)), discount: sum(lines.map(line => line.discount)) + sum(allocated), fee: sum(fees.map(fee => fee.amount)),
    tax: sum([...priced, ...charged].map(one => one.tax)), total: sum([...priced, ...charged].map(one => one.total)),
  };
}
