// What happens elsewhere is seen, and nothing moves under the hand.
import { api, as, assert, journey, newOrder, settled } from "./kit.mjs";
import { demo } from "./server.mjs";

await journey("a list tells of changes, and an open order follows", async () => {
  const page = await as(demo, "staff", { at: "/orders" });
  const colleague = await as(demo, "manager");
  const first = await page.locator(".list .no").nth(1).textContent();
  const order = await newOrder(colleague);
  await page.getByRole("button", { name: /change.*Show/ }).waitFor();
  assert.equal(await page.locator(".list .no").nth(1).textContent(), first, "the list has not moved");
  await page.getByRole("button", { name: /change.*Show/ }).click();
  await page.getByRole("link", { name: `#${order.number}` }).click();
  await page.getByRole("button", { name: "Confirm" }).waitFor();
  await api(colleague, `/v1/orders/${order.id}/confirm`, { method: "POST", body: "{}" });
  await page.getByRole("button", { name: "Fulfil" }).waitFor();
});

await journey("two tabs hold one request for events, and both see them", async () => {
  const page = await as(demo, "staff", { at: "/orders" });
  let waiting = 0;
  const count = request => { if (request.url().includes("wait=25")) waiting++; };
  page.on("request", count);
  const second = await page.context().newPage();
  second.on("request", count);
  await second.goto(`${demo.url}/console/orders`);
  await settled(second);
  const colleague = await as(demo, "manager");
  waiting = 0;
  await newOrder(colleague);
  await page.getByRole("button", { name: /change.*Show/ }).waitFor();
  await second.getByRole("button", { name: /change.*Show/ }).waitFor();
  assert.ok(waiting <= 2, `${waiting} requests wait`);
});
