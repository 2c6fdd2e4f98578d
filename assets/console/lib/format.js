// Numbers and times as the reader's language writes them.
import { signal } from "../vendor/preact.js";
import { locale, settings } from "./money.js";

const numbers = new Intl.NumberFormat(locale);
/** @param {number} n */
export const count = n => numbers.format(n);
/** A number and its noun. @param {number} n @param {string} noun */
export const some = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
/** @param {number} n */
export const percent = n => percents.format(n);

/** @param {number} bytes */
export const size = bytes => new Intl.NumberFormat(locale, { style: "unit", unit: bytes < 1e9 ? "megabyte" : "gigabyte", maximumSignificantDigits: 3 }).format(bytes / (bytes < 1e9 ? 1e6 : 1e9));

/** The zone in which times are shown: the reader's, or the one that they chose. */
export const zone = signal(localStorage.zone || Intl.DateTimeFormat().resolvedOptions().timeZone);
/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();
/** @param {string} name @param {Intl.DateTimeFormatOptions} options */
function formatOf(name, options) {
  const key = name + zone.value;
  let format = formats.get(key);
  if (!format) formats.set(key, format = new Intl.DateTimeFormat(locale, { timeZone: zone.value, ...options }));
  return format;
}
/** @param {string} time */
export const at = time => formatOf("at", { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
/** A date of the business, as the reports have it. @param {string} date */
export const day = date => formatOf("day", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(date + "T00:00:00Z"));

/** The date in the reporting zone so many days ago, as `2026-11-27`. @param {number} daysAgo */
export function today(daysAgo = 0) {
  const now = new Intl.DateTimeFormat("en-CA", { timeZone: settings.value.reporting_timezone }).format(new Date());
  return addDays(now, -daysAgo);
}
/** @param {string} date @param {number} days */
export const addDays = (date, days) => new Date(Date.parse(date + "T00:00:00Z") + days * 86_400_000).toISOString().slice(0, 10);
/** The first and the last day of the month before this one. */
export function lastMonth() {
  const end = addDays(today().slice(0, 8) + "01", -1);
  return [end.slice(0, 8) + "01", end];
}

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const UNITS = /** @type {[number, Intl.RelativeTimeFormatUnit, number][]} */ ([[60, "second", 1], [3600, "minute", 60], [86_400, "hour", 3600], [604_800, "day", 86_400]]);
/** @param {string} time */
export function ago(time) {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  const unit = UNITS.find(([below]) => Math.abs(seconds) < below);
  if (unit) return relative.format(Math.round(seconds / unit[2]), unit[1]);
  const year = new Date(time).getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return formatOf("short" + year, { day: "numeric", month: "short", year }).format(new Date(time));
}
/** A word of the API for people. @param {string} word */
export const words = word => (word[0].toUpperCase() + word.slice(1)).replaceAll("_", " ");
