// Payments, refunds, cancellations.
import { accessible, api, as, assert, journey, newOrder, paid, settled } from "./kit.mjs";
import { demo } from "./server.mjs";

const transactions = async (page, order) => (await api(page, `/v1/orders/${order.id}/transactions`)).body.data;

await journey("record a payment", async () => {
  const page = await as(demo, "staff");
  const order = await newOrder(page);
  await page.goto(`${demo.url}/console/orders/${order.id}`);
  await page.getByRole("button", { name: "Record payment" }).click();
  assert.equal(await page.getByLabel("Amount").inputValue(), "30.00");
  await accessible(page, "payment");
  await page.getByLabel("Amount").fill("12.50");
  await page.getByRole("button", { name: "Record €12.50" }).click();
  await page.getByText("€17.50 is still to be paid.").waitFor();
  assert.equal((await transactions(page, order))[0].amount, 1250);
  assert.ok(!await page.getByRole("button", { name: /^Refund/ }).isVisible(), "the staff may not refund");
});

await journey("too large a refund, then goods that came back, sent twice", async () => {
  const page = await as(demo, "manager");
  const order = await newOrder(page);
  await paid(page, order, 3000);
  await page.goto(`${demo.url}/console/orders/${order.id}`);
  await settled(page);
  await page.keyboard.press("r");
  await page.getByLabel("Amount").fill("30.01");
  await page.getByText("Amount must be at most €30.00.").waitFor();
  await accessible(page, "refund");
  await page.getByText("Goods that came back").click();
  await page.getByLabel("Quantity of Trial that came back").fill("1");
  assert.equal(await page.getByLabel("Amount").inputValue(), "10.00");
  // The answer is lost on the way; the page sends it once more by itself.
  let times = 0;
  await page.route("**/refunds", async route => { if (++times > 1) return route.continue(); await route.fetch(); await route.abort("failed"); });
  await page.getByRole("button", { name: "Refund €10.00" }).dblclick();
  await page.getByText("€10.00 refunded").first().waitFor();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  const refunds = (await transactions(page, order)).filter(row => row.kind === "refund");
  assert.equal(refunds.length, 1);
  assert.deepEqual([refunds[0].amount, refunds[0].credit_amount, refunds[0].items?.[0]?.quantity], [1000, 1000, 1]);
  await page.getByText("1 came back").waitFor();
  assert.ok(!await page.getByText("still to be paid").isVisible(), "what came back is not owed");
});

await journey("cancelling asks what to do with the money", async () => {
  const page = await as(demo, "manager");
  const order = await newOrder(page);
  await paid(page, order, 3000);
  await page.goto(`${demo.url}/console/orders/${order.id}`);
  await page.locator(".more summary").click();
  await page.getByRole("button", { name: "Cancel order" }).click();
  await accessible(page, "cancel");
  await page.getByLabel("Refund part of it").check();
  await page.getByLabel("Amount").fill("20");
  await page.getByRole("button", { name: "Cancel order and refund €20.00" }).click();
  await page.getByText(/is cancelled/).waitFor();
  const after = (await api(page, `/v1/orders/${order.id}`)).body;
  assert.deepEqual([after.status, after.refunded_amount], ["cancelled", 2000]);
});

await journey("settle a pending payment in the list of all", async () => {
  const page = await as(demo, "manager");
  const order = await newOrder(page);
  await api(page, `/v1/orders/${order.id}/payments`, { method: "POST", body: JSON.stringify({ amount: 3000, status: "pending" }), headers: { "Idempotency-Key": `pending-${order.id}` } });
  await page.goto(`${demo.url}/console/payments?status=pending`);
  await settled(page);
  const row = page.getByRole("row", { name: new RegExp(`#${order.number}`) });
  await row.getByRole("button", { name: "Succeeded" }).click();
  await page.getByRole("button", { name: "Book €30.00" }).click();
  await page.getByText("The payment of €30.00 is succeeded.").waitFor();
  assert.equal((await api(page, `/v1/orders/${order.id}`)).body.payment_status, "paid");
});

await journey("changing items: prices move, who did it is in the history", async () => {
  const page = await as(demo, "manager");
  const order = await newOrder(page);
  await page.goto(`${demo.url}/console/orders/${order.id}/items`);
  await settled(page);
  await page.getByLabel("Price").first().fill("9.00");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The items are saved.").waitFor();
  await page.getByText("price €10.00 → €9.00").waitFor();
  assert.equal((await api(page, `/v1/orders/${order.id}`)).body.total_amount, 2700);
});
