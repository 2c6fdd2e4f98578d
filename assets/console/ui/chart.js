// Columns by day: up what came in, down what went back, a line for what is left. The arrow keys read it day by day.
import { html, useEffect, useId, useRef, useState } from "../vendor/preact.js";
import * as format from "../lib/format.js";
import { money, shortMoney } from "../lib/money.js";
import { icon } from "./icons.js";

const HEIGHT = 260, LEFT = 56, RIGHT = 8, TOP = 12, BOTTOM = 26, LEAST_WIDTH = 240, LABEL = 90;

/** Round steps for a scale. @param {number} low @param {number} high @param {number} wanted */
export function ticks(low, high, wanted) {
  const rough = Math.max(1, (high - low) / wanted), unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * unit).find(n => n >= rough) ?? rough;
  const first = Math.floor(low / step), last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** What went back on a day: refunds by cash; credits and cancellations by booking. @param {DailyRow} day */
export const back = day => day.refunded_amount + day.credited_amount + day.cancelled_amount;
/** @template Row @param {Row[]} rows @param {(row: Row) => number} of */
export const sum = (rows, of) => rows.reduce((total, row) => total + of(row), 0);

/** @param {{days: DailyRow[], currency: string, basis?: string}} props */
export function DailyChart({ days, currency, basis = "cash" }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const [width, setWidth] = useState(0);
  const [at, setAt] = useState(-1);
  const [table, setTable] = useState(false);
  const id = useId();
  const backName = basis === "cash" ? "Refunded" : "Credited and cancelled";
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.max(LEAST_WIDTH, Math.floor(entry.contentRect.width))));
    if (ref.current) watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  const move = (/** @type {number} */ to) => setAt(Math.max(0, Math.min(days.length - 1, to)));
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const last = days.length - 1, from = at < 0 ? last + 1 : at;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
  const f = (/** @type {number} */ amount) => money(amount, currency);
  const day = days[at];
  const figures = day ?? { net_amount: sum(days, one => one.net_amount), gross_amount: sum(days, one => one.gross_amount), orders_placed: sum(days, one => one.orders_placed) };
  const returned = day ? back(day) : sum(days, back);
  return html`<figure class="chart" ref=${ref}>
    <figcaption>
      <span id=${id} aria-live="polite">${day && html`<b>${format.day(day.date)}</b> `}net <b>${f(figures.net_amount)}</b> · gross ${f(figures.gross_amount)} · ${backName.toLowerCase()} ${f(returned)} · ${format.some(figures.orders_placed, "order")}</span>
      <button type="button" class="quiet" aria-pressed=${table} onClick=${() => setTable(!table)}>${icon("table")} Table</button>
    </figcaption>
    ${table ? dayTable(days, f, backName) : width > 0 && html`${columns(days, currency, width, at, {
      tabindex: 0, role: "group", "aria-roledescription": "chart", "aria-label": "Revenue by day. Arrow keys read it day by day.", "aria-describedby": id, onKeyDown: keys, onPointerLeave: () => setAt(-1), onBlur: () => setAt(-1),
      onPointerMove: (/** @type {PointerEvent & {currentTarget: Element}} */ event) => move(Math.floor((event.clientX - event.currentTarget.getBoundingClientRect().left - LEFT) / ((width - LEFT - RIGHT) / days.length))),
    })}<p class="legend"><span class="in">Gross</span><span class="out">${backName}</span><span class="net">Net</span></p>`}
  </figure>`;
}

/** @param {DailyRow[]} days @param {string} currency @param {number} width @param {number} at @param {object} more */
function columns(days, currency, width, at, more) {
  const scale = ticks(-Math.max(0, ...days.map(back), ...days.map(day => -day.net_amount)), Math.max(1, ...days.map(day => day.gross_amount)), 5);
  const low = scale[0], high = scale[scale.length - 1];
  const y = (/** @type {number} */ amount) => TOP + (HEIGHT - TOP - BOTTOM) * (high - amount) / (high - low);
  const step = (width - LEFT - RIGHT) / days.length, bar = Math.max(1, Math.min(22, step * 0.64));
  const x = (/** @type {number} */ i) => LEFT + step * (i + 0.5);
  const every = Math.ceil(days.length / (width / LABEL));
  return html`<svg width=${width} height=${HEIGHT} viewBox="0 0 ${width} ${HEIGHT}" ...${more}>
    ${scale.map(amount => html`<g><line class=${amount ? "grid" : "zero"} x1=${LEFT} x2=${width - RIGHT} y1=${y(amount)} y2=${y(amount)} /><text class="end" x=${LEFT - 8} y=${y(amount) + 4}>${shortMoney(amount, currency)}</text></g>`)}
    ${days.map((day, i) => html`<g class=${i === at ? "here" : ""}><rect class="band" x=${LEFT + step * i} y=${TOP} width=${step} height=${HEIGHT - TOP - BOTTOM} />
      <rect class="in" x=${x(i) - bar / 2} width=${bar} y=${y(Math.max(0, day.gross_amount))} height=${Math.abs(y(day.gross_amount) - y(0))} />
      <rect class="out" x=${x(i) - bar / 2} width=${bar} y=${y(0)} height=${Math.max(0, y(-back(day)) - y(0))} />
      ${i % every === 0 && html`<text class="middle" x=${x(i)} y=${HEIGHT - 8}>${format.day(day.date)}</text>`}</g>`)}
    <polyline class="net" points=${days.map((day, i) => `${x(i)},${y(day.net_amount)}`).join(" ")} /></svg>`;
}

/** @param {DailyRow[]} days @param {(amount: number) => string} f @param {string} backName */
const dayTable = (days, f, backName) => html`<div class="scroll" tabindex="0" role="region" aria-label="Revenue by day"><table>
  <thead><tr><th>Day</th><th class="num">Orders</th><th class="num">Gross</th><th class="num">${backName}</th><th class="num">Net</th></tr></thead>
  <tbody>${days.toReversed().map(day => html`<tr><td>${format.day(day.date)}</td><td class="num">${format.count(day.orders_placed)}</td><td class="num">${f(day.gross_amount)}</td><td class="num">${f(back(day))}</td><td class="num">${f(day.net_amount)}</td></tr>`)}</tbody></table></div>`;
