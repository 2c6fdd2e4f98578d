// How the business is doing, what waits for somebody, and what is happening. Without the right to figures, the last two.
import { html } from "../vendor/preact.js";
import { ask, query } from "../lib/api.js";
import * as format from "../lib/format.js";
import { head as newest, isLive, latest } from "../lib/live.js";
import { useLoad } from "../lib/load.js";
import { money, settings } from "../lib/money.js";
import { base, change, here } from "../lib/router.js";
import { may } from "../lib/session.js";
import { short, who } from "../lib/words.js";
import { DailyChart, back, sum } from "../ui/chart.js";
import { icon } from "../ui/icons.js";
import { card, choice, empty, head, pick, states, when } from "../ui/parts.js";

const RANGES = ["7", "30", "90"], TOP = 6, MOST_AS_BUTTONS = 4;

/** What waits for somebody: the name, the filter of the list, the icon. @type {[string, Record<string, string>, Icon][]} */
const WORK = [
  ["To confirm", { status: "pending" }, "check"],
  ["To fulfil, paid", { status: "confirmed", payment_status: "paid" }, "truck"],
  ["Confirmed, not paid in full", { status: "confirmed", payment_status: "unpaid,partially_paid" }, "money"],
  ["Overpaid", { payment_status: "overpaid" }, "refund"],
];

export function Home() {
  const figures = may("analytics:read");
  return html`${figures ? html`<${Figures} />` : html`${head("Home")}<div class="columns"><div>${activity()}</div><div><${Work} /></div></div>`}`;
}

function Figures() {
  const range = RANGES.find(one => one === here.value.query.get("days")) ?? "30", days = Number(range);
  const from = format.today(days - 1), to = format.today();
  // Twice the range: the first half is what the second is compared with.
  const daily = useLoad(() => ask(`/v1/analytics/daily?${query({ from: format.today(days * 2 - 1), to })}`).then(report => /** @type {DailyRow[]} */ (report.data)), [range]);
  const top = useLoad(() => ask(`/v1/analytics/top-items?${query({ from, to, limit: 100 })}`).then(report => /** @type {any[]} */ (report.data)), [range]);
  const rows = daily.data ?? [];
  const currencies = [...new Set(rows.map(row => row.currency))].sort();
  const busiest = currencies.toSorted((a, b) => orders(rows, b) - orders(rows, a))[0];
  const asked = here.value.query.get("currency") ?? "";
  const currency = currencies.includes(asked) ? asked : busiest;
  const mine = rows.filter(row => row.currency === currency);
  const now = mine.slice(-days), before = mine.slice(-2 * days, -days);
  const options = /** @type {[string, string][]} */ (currencies.map(one => [one, one]));
  const choose = (/** @type {string} */ to) => change({ currency: to }, { replace: true });
  return html`
    <header class="head"><h1 tabindex="-1">Home</h1><span class="faint">${format.day(from)} – ${format.day(to)} · ${settings.value.reporting_timezone}</span><span class="grow"></span>
      ${currencies.length > MOST_AS_BUTTONS ? pick("Currency", currency, options, choose) : currencies.length > 0 && choice("Currency", options, currency, choose)}
      ${choice("Days", RANGES.map(one => [one, `${one} days`]), range, to => change({ days: to }, { replace: true }))}</header>
    ${daily.data && !currencies.length ? empty("No figures yet", "As soon as an order is placed or paid, its figures stand here.", may("orders:create") && html`<a class="button main" href="${base}/orders/new">New order</a>`)
      : html`<div class="tiles">${now.length > 0 && tiles(now, before, currency)}</div>`}
    <div class="columns"><div>
        ${card("Revenue by day", states(daily, 6, () => currency && html`<${DailyChart} days=${now} currency=${currency} />`))}
        ${card("Top items", states(top, 6, rows => topItems(rows.filter(row => row.currency === currency).slice(0, TOP))), html`<a href="${base}/analytics?report=top-items">All</a>`)}
      </div><div>${may("orders:read") && html`<${Work} />`}${may("orders:read") && activity()}</div></div>`;
}
/** @param {DailyRow[]} rows @param {string} currency */
const orders = (rows, currency) => sum(rows.filter(row => row.currency === currency), row => row.orders_placed);

/** @param {DailyRow[]} now @param {DailyRow[]} before @param {string} currency */
function tiles(now, before, currency) {
  const placed = (/** @type {DailyRow[]} */ days) => sum(days, day => day.orders_placed);
  const average = (/** @type {DailyRow[]} */ days) => placed(days) ? Math.round(sum(days, day => day.average_order_amount * day.orders_placed) / placed(days)) : 0;
  const net = (/** @type {DailyRow[]} */ days) => sum(days, day => day.net_amount);
  const tile = (/** @type {string} */ name, /** @type {(days: DailyRow[]) => number} */ of, /** @type {(n: number) => string} */ show, good = 1) => {
    const is = of(now), was = of(before), change = was ? (is - was) / Math.abs(was) : 0;
    return html`<div class="tile"><h2>${name}</h2><p>${show(is)}</p><small class=${Math.sign(change) * good < 0 ? "bad" : "good"}>${was ? html`<b>${format.percent(change)}</b> <span>on the ${now.length} days before</span>` : html`<span>nothing in the ${now.length} days before</span>`}</small></div>`;
  };
  const f = (/** @type {number} */ amount) => money(amount, currency);
  return [tile("Net revenue", net, f), tile("Orders placed", placed, format.count), tile("Average order", average, f), tile("Refunded", days => sum(days, back), f, -1)];
}

/** @param {any[]} rows */
export function topItems(rows) {
  if (!rows.length) return empty("Nothing sold", "Nothing was ordered in these days.");
  const most = Math.max(...rows.map(row => row.total_amount));
  return html`<table><thead class="unseen"><tr><th>Item</th><th>Sold</th><th>Total</th></tr></thead><tbody>${rows.map(row => html`<tr>
    <td><a href="${base}/orders?${query({ sku: row.sku })}">${row.name}</a> <small>${row.sku}</small><meter min="0" max=${most} value=${row.total_amount} aria-hidden="true"></meter></td>
    <td class="num faint">${format.count(row.quantity)} sold</td><td class="num">${money(row.total_amount, row.currency)}</td></tr>`)}</tbody></table>`;
}

/** Counts that lead to their lists. They follow the feed. */
function Work() {
  const counts = useLoad(() => ask("/v1/orders/counts").then(answer => /** @type {any[]} */ (answer.data)), [newest.value]);
  const matches = (/** @type {any} */ row, /** @type {Record<string, string>} */ filter) => Object.entries(filter).every(([name, values]) => values.split(",").includes(row[name]));
  return card("To do", states(counts, 4, rows => html`<ul class="work">${WORK.map(([name, filter, sign]) => html`<li><a href="${base}/orders?${query(filter)}">${icon(sign)}<span>${name}</span>
    <b>${format.count(sum(rows.filter(row => matches(row, filter)), row => row.orders))}</b></a></li>`)}</ul>`));
}

const activity = () => card("Activity", latest.value.length ? html`<ol class="feed">${latest.value.slice(0, 9).map(event => html`<li key=${event.seq}><a href="${base}/orders/${event.order_id}" title=${who(event)}><span>${short(event)}</span>${when(event.occurred_at)}</a></li>`)}</ol>`
  : empty("Nothing has happened yet", "What happens to orders stands here at once."), isLive.value && html`<span class="live"><i></i>live</span>`);
