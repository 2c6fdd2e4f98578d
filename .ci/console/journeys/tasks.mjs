// Ten tasks as somebody does them who sees the console for the first time: only what is visible is used, at a desk and on a
// phone. A step is a click, a key or a field that is filled in; a task that takes more of them than it did fails.
// PACE=1000 waits a second before each step, as people do, and so tells how long a task takes.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { api, as, assert, journey, newOrder, paid, settled } from "./kit.mjs";
import { demo } from "./server.mjs";

const PACE = Number(process.env.PACE ?? 0);

/** @param {string} name @param {string} role @param {number} most steps @param {(hand: object, page: object) => Promise<void>} run */
async function task(name, role, most, run) {
  for (const width of [1280, 390]) {
    await journey(`task: ${name}, ${width} px`, async () => {
      const page = await as(demo, role, { width, height: 844 });
      let steps = 0;
      const step = async deed => { steps++; await page.waitForTimeout(PACE); await deed(); };
      const hand = {
        phone: width < 500,
        click: locator => step(() => locator.click()),
        press: key => step(() => page.keyboard.press(key)),
        fill: (locator, text) => step(() => locator.fill(text)),
        pick: (locator, option) => step(() => locator.selectOption(option)),
        button: name => hand.click(page.getByRole("button", { name }).filter({ visible: true }).first()),
        link: name => hand.click(page.getByRole("link", { name }).filter({ visible: true }).first()),
        // What has no place in the bar at the thumb stands under More.
        go: async name => { if (hand.phone && !["Home", "Orders", "Payments"].includes(name)) await hand.link("More"); await hand.link(name); await settled(page); },
      };
      const begun = Date.now();
      await run(hand, page);
      console.log(`          ${steps} steps${PACE ? `, ${Math.round((Date.now() - begun) / 1000)} s` : ""}`);
      assert.ok(steps <= most, `${steps} steps, and not ${most} at most`);
    });
  }
}
const dialog = page => page.getByRole("dialog");

await task("find an order by part of a customer's name", "staff", 3, async (hand, page) => {
  const order = await newOrder(page, { customer: { name: "Wilhelmina Quarterdeck" } });
  await hand.button("Find");
  await hand.fill(page.getByRole("combobox", { name: "Find" }), "quarterd");
  await hand.click(page.getByRole("option", { name: `#${order.number}` }));
  await page.getByRole("heading", { name: `#${order.number}` }).waitFor();
});

await task("take an order by telephone, 10 % off, with shipping", "staff", 10, async (hand, page) => {
  await hand.link("New order");
  await hand.fill(page.getByLabel("Item").first(), "Teapot");
  await hand.fill(page.getByLabel("Quantity").first(), "3");
  await hand.fill(page.getByLabel("Price").first(), "19.90");
  await hand.fill(page.getByLabel("Order discount"), "10 %");
  await hand.button("Add a fee");
  await hand.fill(page.getByLabel("Fee amount"), "4.90");
  await hand.fill(page.getByLabel("Name", { exact: true }), "Theo Phone");
  await hand.fill(page.getByLabel("Phone"), "+49 30 1234567");
  await hand.button("Place order · €58.63");
  await page.getByText(/Order #\d+ is placed/).waitFor();
  const order = (await api(page, "/v1/orders?q=Theo%20Phone&limit=1")).body.data[0];
  assert.deepEqual([order.order_discount_amount, order.fee_amount, order.total_amount], [597, 490, 5863]);
});

await task("take back one of three items and refund it", "manager", 4, async (hand, page) => {
  const order = await newOrder(page);
  await paid(page, order, 3000);
  await page.goto(`${demo.url}/console/orders/${order.id}`);
  await settled(page);
  await hand.button("Refund");
  await hand.click(page.getByText("Goods that came back"));
  await hand.fill(page.getByLabel("Quantity of Trial that came back"), "1");
  await hand.button("Refund €10.00");
  await page.getByText("1 came back").waitFor();
});

await task("see who changed a price, and when", "admin", 4, async (hand, page) => {
  const order = await newOrder(page);
  const manager = await as(demo, "manager");
  assert.equal((await api(manager, `/v1/orders/${order.id}`, { method: "PATCH", body: JSON.stringify({ items: [{ sku: "TRIAL", name: "Trial", quantity: 3, unit_amount: 900 }] }) })).status, 200);
  // The audit log is where one looks first; it says where such a change stands.
  await hand.go("Audit log");
  await hand.link("Orders, last changed first");
  await hand.link(`#${order.number}`);
  await page.locator(".timeline li", { hasText: "price €10.00 → €9.00" }).getByText(/Demo manager · \w+ \d+, \d{4}/).waitFor();
});

await task("a key for the bookkeeper that may only read", "admin", 6, async (hand, page) => {
  await hand.go("API keys");
  await hand.button("New key");
  await hand.fill(page.getByLabel("Name"), "Bookkeeper");
  await hand.button(/^Bookkeeping/);
  await hand.button("Create key");
  const secret = await page.locator(".secret code").textContent();
  const ask = (path, method = "GET") => fetch(demo.url + path, { method, headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" }, body: method === "GET" ? undefined : "{}" }).then(answer => answer.status);
  assert.deepEqual([await ask("/v1/orders?limit=1"), await ask("/v1/orders", "POST")], [200, 403]);
});

await task("find an unpaid order that is older than a week and cancel it", "manager", 8, async (hand, page) => {
  await hand.go("Orders");
  await hand.link("Unpaid");
  await settled(page);
  await hand.click(page.locator("summary", { hasText: "Placed" }));
  await hand.button("Over a week ago");
  await page.waitForURL(/to=/);
  await settled(page);
  // What is fulfilled already is refunded, not cancelled.
  const number = await page.locator(".list tr", { hasText: "Pending" }).locator(".no a").first().textContent();
  await hand.link(number);
  await page.locator(".timeline").waitFor();
  await hand.click(page.getByLabel("More", { exact: true }));
  await hand.button("Cancel order");
  await hand.click(dialog(page).getByRole("button", { name: "Cancel order" }));
  await page.getByText(`Order ${number} is cancelled.`).waitFor();
  const order = (await api(page, `/v1/orders/number/${number.slice(1)}`)).body;
  assert.ok(order.status === "cancelled" && Date.parse(order.placed_at) < Date.now() - 7 * 86_400_000);
});

await task("last month's orders as a file that Excel opens", "analyst", 4, async (hand, page) => {
  await hand.go("Orders");
  await hand.click(page.locator("summary", { hasText: "Placed" }));
  await hand.button("Last month");
  await page.waitForURL(/from=.*to=/);
  await settled(page);
  const [download] = await Promise.all([page.waitForEvent("download"), hand.button("Excel")]);
  assert.match(download.suggestedFilename(), /^orders-.*\.csv$/);
  const text = await readFile(await download.path(), "utf8"), [head, ...rows] = text.trim().split("\r\n");
  assert.equal(text.codePointAt(0), 0xfeff, "Excel takes it for UTF-8 by its mark");
  assert.match(rows[0], /,\d+\.\d\d,/);
  assert.equal(rows.length, Number((await page.locator(".filters [role=status]").textContent()).replace(/\D/g, "")));
  const placed = head.split(",").indexOf("placed_at"), month = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - 1)).toISOString().slice(0, 7);
  assert.ok(rows.every(row => row.includes(month)) && placed > 0);
});

await task("invite a colleague as an employee", "admin", 6, async (hand, page) => {
  await hand.go("Users");
  await hand.button("New user");
  await hand.fill(page.getByLabel("Name"), "Emmy Employee");
  await hand.fill(page.getByLabel("E-mail"), `emmy.${hand.phone}@example.com`);
  await hand.button("Create user");
  assert.match(await page.locator(".secret code").textContent(), /reset#token=/);
  assert.equal((await api(page, `/v1/users?email=emmy.${hand.phone}@example.com`)).body.data[0].role, "staff");
});

await task("set up a webhook and see that it arrives", "admin", 8, async (hand, page) => {
  const got = [], receiver = http.createServer((request, answer) => { got.push(request.headers["webhook-id"]); request.resume(); answer.end(); }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const { port } = receiver.address();
  await hand.go("Webhooks");
  await hand.button("New endpoint");
  await hand.fill(page.getByLabel("Address"), `http://127.0.0.1:${port}/hook`);
  await hand.button("Create endpoint");
  await hand.button("Done");
  await hand.link(`http://127.0.0.1:${port}/hook`);
  await hand.button("Ping");
  // The list of deliveries follows by itself.
  await page.getByRole("cell", { name: "Delivered" }).waitFor();
  assert.equal(got.length, 1);
  receiver.close();
});

await task("erase a customer's data at their request", "admin", 5, async (hand, page) => {
  const name = `Ottilie ${hand.phone ? "Pocket" : "Desk"}`, user = (await api(page, "/v1/users", { method: "POST", body: JSON.stringify({ email: `${name.replace(" ", ".")}@example.com`, name, role: "customer" }), headers: { "Idempotency-Key": `task-erase-${hand.phone}` } })).body;
  const orders = [];
  for (let i = 0; i < 2; i++) orders.push(await newOrder(page, { user_id: user.id, customer: { name } }));
  await hand.button("Find");
  await hand.fill(page.getByRole("combobox", { name: "Find" }), name);
  await hand.click(page.getByRole("option", { name: /@example\.com$/ }));
  await hand.button("Erase personal data");
  await hand.click(dialog(page).getByRole("button", { name: "Erase personal data" }));
  await page.getByRole("heading", { name: "Erased user" }).waitFor();
  for (const order of orders) assert.equal((await api(page, `/v1/orders/${order.id}`)).body.customer, null);
});
