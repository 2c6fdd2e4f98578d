// Finding, taking and changing orders.
import { readFile } from "node:fs/promises";
import { accessible, api, as, assert, journey, newOrder, settled } from "./kit.mjs";
import { demo } from "./server.mjs";

await journey("find an order by part of a name, and open it", async () => {
  const page = await as(demo, "staff", { at: "/orders" });
  const order = await newOrder(page, { customer: { name: "Zarathustra Quill" } });
  await page.keyboard.press("Control+k");
  await page.keyboard.type("thustra qu");
  await page.getByRole("option", { name: new RegExp(`#${order.number}`) }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: `#${order.number}` }).waitFor();
  assert.match(page.url(), new RegExp(order.id));
  assert.match(await page.title(), new RegExp(`#${order.number}`));
});

await journey("the address is the state: filters, Back, reload, scroll", async () => {
  const page = await as(demo, "staff", { at: "/orders?status=fulfilled&sort=total_amount" });
  await page.locator(".list tbody tr").nth(60).scrollIntoViewIfNeeded();
  await page.evaluate(() => scrollTo(0, 1500));
  const before = await page.evaluate(() => scrollY);
  await page.locator(".list tbody tr .no a").nth(50).click();
  await page.locator(".timeline").waitFor();
  await page.goBack();
  await page.locator(".list tbody tr").nth(50).waitFor();
  await page.waitForFunction(y => Math.abs(scrollY - y) < 5, before);
  const rows = () => page.locator(".list .no a").evaluateAll(links => links.slice(0, 20).map(link => link.textContent));
  const shown = await rows();
  await page.reload();
  await settled(page);
  assert.deepEqual(await rows(), shown);
  await page.getByLabel("Search orders").fill("Sencha");
  await page.waitForURL(/q=Sencha/);
});

await journey("take an order with two faults, then right", async () => {
  const page = await as(demo, "staff", { at: "/orders/new" });
  await accessible(page, "new order");
  await page.getByLabel("Currency").selectOption("EUR");
  await page.getByLabel("Item").first().fill("Lamp");
  await page.getByLabel("Quantity").first().fill("0");
  await page.getByLabel("Price").first().fill("10.00");
  await page.getByLabel("Tax").first().fill("200");
  await page.getByRole("button", { name: /^Place/ }).click();
  await page.getByRole("alert").waitFor();
  assert.equal(await page.locator("[aria-invalid=true]").count(), 2);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("data-pointer")), "#/items/0/quantity");
  await accessible(page, "new order with faults");
  await page.getByLabel("Quantity").first().fill("3");
  await page.getByLabel("Tax").first().fill("19");
  await page.getByLabel("Order discount").fill("3.00");
  await page.getByLabel("Name").fill("Grace Example");
  // Enter goes on to a next line, which is taken away again.
  await page.getByLabel("Price").first().press("Enter");
  await page.getByRole("group", { name: "Line 2" }).getByLabel("Item").fill("Shade");
  await page.getByRole("button", { name: "Remove line 2" }).click();
  const button = page.getByRole("button", { name: "Place order · €32.13" });
  await button.waitFor();
  await button.dblclick();
  await page.getByText(/Order #\d+ is placed/).waitFor();
  await page.locator("dd.sum", { hasText: "€32.13" }).first().waitFor();
  const found = await api(page, "/v1/orders?q=Grace%20Example&count=true");
  assert.equal(found.body.page.total, 1, "a double click is one order");
});

await journey("a lost answer gives one order", async () => {
  const page = await as(demo, "staff", { at: "/orders/new" });
  let lost = 0;
  await page.route("**/v1/orders", async route => {
    if (route.request().method() !== "POST") return route.continue();
    await route.fetch();
    lost++;
    await route.abort("failed");
  });
  await page.getByLabel("Item").first().fill("Lost letter");
  await page.getByLabel("Price").first().fill("5");
  await page.getByRole("button", { name: /^Place/ }).click();
  await page.getByText("We don’t know yet").waitFor();
  assert.equal(lost, 2, "it is sent once more by itself");
  await page.getByRole("button", { name: "Look" }).click();
  await page.getByText("It was done.").waitFor();
  await page.unroute("**/v1/orders");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText(/Order #\d+ is placed/).waitFor();
  assert.equal((await api(page, "/v1/orders?q=Lost%20letter&count=true")).body.page.total, 1);
});

await journey("a stale step and a stale edit show both sides", async () => {
  const page = await as(demo, "manager");
  const order = await newOrder(page);
  await page.goto(`${demo.url}/console/orders/${order.id}`);
  await page.getByRole("button", { name: "Confirm" }).waitFor();
  // The colleague is faster than the feed.
  await page.route("**/v1/events**", route => route.abort());
  await page.reload();
  await settled(page);
  await page.keyboard.press("e");
  await page.getByLabel("Note").fill("mine");
  const theirs = await api(page, `/v1/orders/${order.id}`, { method: "PATCH", body: JSON.stringify({ note: "theirs" }) });
  assert.equal(theirs.status, 200);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Take theirs" }).waitFor();
  await accessible(page, "conflict");
  const dialog = page.getByRole("dialog");
  assert.ok(await dialog.getByText("theirs", { exact: true }).isVisible() && await dialog.getByText("mine", { exact: true }).isVisible());
  await page.getByRole("button", { name: "Apply mine" }).click();
  await page.getByText("Saved.").waitFor();
  assert.equal((await api(page, `/v1/orders/${order.id}`)).body.note, "mine");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("Undone.").waitFor();
  await api(page, `/v1/orders/${order.id}`, { method: "PATCH", body: JSON.stringify({ note: "again" }) });
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByRole("button", { name: "Apply mine" }).click();
  await page.getByText(/is confirmed/).waitFor();
  assert.equal((await api(page, `/v1/orders/${order.id}`)).body.status, "confirmed");
});

await journey("bulk with one failure: it stays chosen", async () => {
  const page = await as(demo, "manager");
  const orders = [];
  for (let i = 0; i < 3; i++) orders.push(await newOrder(page, { customer: { name: "Bulky Buyer" } }));
  await page.route("**/v1/events**", route => route.abort());
  await page.goto(`${demo.url}/console/orders?q=Bulky`);
  await settled(page);
  await api(page, `/v1/orders/${orders[1].id}/cancel`, { method: "POST", body: "{}" });
  await page.getByLabel("Choose all that are shown").check();
  await page.getByRole("region", { name: "Chosen orders" }).getByRole("button", { name: "Confirm" }).click();
  await accessible(page, "bulk");
  await page.getByRole("button", { name: "Confirm 3 orders" }).click();
  await page.getByText("2 orders confirmed. 1 failed and stay chosen.").waitFor();
  assert.equal(await page.locator("tr.failed").count(), 1);
  assert.ok(await page.getByLabel(`Choose order #${orders[1].number}`).isChecked());
});

await journey("an export equals the API", async () => {
  const page = await as(demo, "analyst", { at: "/orders?status=cancelled&currency=JPY" });
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  assert.match(download.suggestedFilename(), /^orders-\d{4}-\d\d-\d\d\.csv$/);
  const saved = await readFile(await download.path(), "utf8");
  const answer = await api(page, "/v1/orders?status=cancelled&currency=JPY", { headers: { Accept: "text/csv" } });
  assert.equal(saved, answer.body);
  const count = Number((await page.locator(".filters [role=status]").textContent()).replace(/\D/g, ""));
  assert.equal(saved.trim().split("\r\n").length - 1, count);
});

await journey("5,000 rows load by scrolling, and Enter opens the row of the keyboard", async () => {
  const page = await as(demo, "staff", { at: "/orders" });
  for (let rows = 100; rows < 5000;) {
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.waitForFunction(n => document.querySelectorAll(".list tbody tr").length > n, rows);
    rows = await page.locator(".list tbody tr").count();
  }
  await page.evaluate(() => scrollTo(0, 0));
  for (const key of ["j", "j", "j", "k"]) await page.keyboard.press(key);
  const number = await page.locator("tr.here .no").textContent();
  await page.keyboard.press("x");
  await page.getByText("1 chosen").waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: number.trim() }).waitFor();
});
