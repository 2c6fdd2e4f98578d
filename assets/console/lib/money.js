// Money is whole minor units, shown and read exactly. How many digits a currency has comes from the server, because
// browsers differ from ISO 4217 for some of them.
import { signal } from "../vendor/preact.js";
import { ask } from "./api.js";

export const locale = navigator.language;
/** What the server says about itself; the last answer until it comes. @type {Signal<Settings>} */
export const settings = signal(localStorage.settings ? JSON.parse(localStorage.settings) : { currencies: [], reporting_timezone: "UTC", password_min_length: 15, version: "" });
export async function loadSettings() {
  settings.value = await ask("/v1/settings");
  localStorage.settings = JSON.stringify(settings.value);
}

/** @param {string} currency */
export const exponent = currency => settings.value.currencies.find(one => one.code === currency)?.exponent ?? 2;

/** Minor units as a decimal string: exact at any size. @param {number} amount @param {string} currency */
export function decimal(amount, currency) {
  const digits = exponent(currency), text = String(Math.abs(amount)).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits), rest = text.slice(text.length - digits);
  return (amount < 0 ? "-" : "") + whole + (digits ? "." + rest : "");
}

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();
/** @param {string} currency @param {boolean} short */
function formatOf(currency, short) {
  const digits = exponent(currency), name = `${currency} ${short} ${digits}`;
  let format = formats.get(name);
  if (!format) {
    format = new Intl.NumberFormat(locale, short
      ? { style: "currency", currency, notation: "compact", maximumFractionDigits: 1 }
      : { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits });
    formats.set(name, format);
  }
  return format;
}
/** @param {number} amount @param {string} currency */
export const money = (amount, currency) => formatOf(currency, false).format(/** @type {any} */ (decimal(amount, currency)));
/** @param {number} amount @param {string} currency */
export const shortMoney = (amount, currency) => formatOf(currency, true).format(/** @type {any} */ (decimal(amount, currency)));

const parts = new Intl.NumberFormat(locale, { useGrouping: true }).formatToParts(12345678.9);
const point = parts.find(part => part.type === "decimal")?.value ?? ".";
const group = parts.find(part => part.type === "group")?.value ?? ",";

/** What somebody typed, in minor units; null if it is no amount. @param {string} text @param {string} currency */
export function parseMoney(text, currency) {
  const digits = exponent(currency);
  const [whole, rest = "", more] = text.trim().replace(/[\s\u00a0\u202f’']/g, "").split(point);
  const groups = whole.split(group);
  const grouped = groups.length === 1 || (groups[0].length <= 3 && groups.slice(1, -1).every(part => /^\d{2,3}$/.test(part)) && /^\d{3}$/.test(groups[groups.length - 1]));
  if (more !== undefined || !grouped || !/^\d+$/.test(groups.join("")) || !/^\d*$/.test(rest) || rest.length > digits) return null;
  const amount = Number(groups.join("") + rest.padEnd(digits, "0"));
  return Number.isSafeInteger(amount) ? amount : null;
}
/** For an input: no grouping, the reader's separator. @param {number} amount @param {string} currency */
export const plainMoney = (amount, currency) => decimal(amount, currency).replace(".", point);
/** How an amount is written, for the explanation of a fault. @param {string} currency */
export const example = currency => plainMoney(1234, currency);
/** A percentage as the server takes it. @param {string} text */
export const parseRate = text => text.trim().replace("%", "").trim().replace(point, ".");
/** @param {string} rate */
export const showRate = rate => rate.replace(".", point);
