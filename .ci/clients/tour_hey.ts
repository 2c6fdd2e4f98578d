// Runs the tour with the TypeScript client that @hey-api/openapi-ts makes from the OpenAPI document.
// Usage: tour_hey.ts URL EMAIL PASSWORD

import { client } from "./hey/client.gen";
import {
  analyticsDaily,
  authLogin,
  ordersCreate,
  ordersGet,
  ordersImport,
  ordersList,
  ordersListNdjson,
  paymentsCreate,
  systemBackup,
} from "./hey";

const [url, email, password] = process.argv.slice(2);
if (!url || !email || !password) throw new Error("usage: tour_hey.ts URL EMAIL PASSWORD");

function same(what: string, left: unknown, right: unknown) {
  if (left !== right) throw new Error(`${what}: ${left} is not ${right}`);
}

let token: string | undefined;
client.setConfig({ baseUrl: url, auth: (scheme) => (scheme.scheme === "bearer" ? token : undefined), throwOnError: true });
token = (await authLogin({ body: { email, password }, throwOnError: true })).data.access_token;

const item = { sku: "TEA-250", name: "Sencha 250 g", quantity: 2, unit_amount: 1250, tax_rate: "8.875" };
const wanted = {
  headers: { "Idempotency-Key": "a-tour-by-hey-api" },
  body: { currency: "CZK", items: [item] },
  throwOnError: true as const,
};
const order = (await ordersCreate(wanted)).data;
same("the total", order.total_amount, 2722);
same("the same key's order", (await ordersCreate(wanted)).data.id, order.id);

const payment = await paymentsCreate({
  path: { id: order.id },
  headers: { "Idempotency-Key": "a-payment-by-hey-api" },
  body: { amount: order.total_amount },
  throwOnError: true,
});
same("the payment status", payment.data.order?.payment_status, "paid");

const query = { payment_status: ["paid" as const, "overpaid" as const], currency: "CZK", count: true };
const list = (await ordersList({ query, throwOnError: true })).data;
same("the listed order", list.data[0]?.id, order.id);
same("the orders counted", list.page.total, 1);

const today = order.created_at.slice(0, 10);
const daily = (await analyticsDaily({ query: { from: today, to: today, currency: "CZK" }, throwOnError: true })).data;
same("the net of the day", daily.data[0]?.net_amount, 2722);

const line = { external_ref: "a-line-by-hey-api", currency: "RON", items: [item] };
const results = await ordersImport({ body: new Blob([JSON.stringify(line)]), parseAs: "text", throwOnError: true });
same("the imported line", JSON.parse(String(results.data)).result, "created");
const exported = (await ordersListNdjson({ query: { currency: "CZK" }, parseAs: "blob", throwOnError: true })).data;
same("the exported order", JSON.parse(await exported.text()).id, order.id);
const backup = (await systemBackup({ parseAs: "blob", throwOnError: true })).data;
same("the backup's first bytes", (await backup.text()).slice(0, 15), "SQLite format 3");

const missing = await ordersGet({ path: { id: "ord_01h455vb4pex5vsknk084sn02q" }, throwOnError: false });
same("the problem's code", missing.error?.code, "not_found");
console.log(`judges: the TypeScript client of @hey-api made ${order.id}, paid it, listed it, exported it, imported a line and made a backup`);
