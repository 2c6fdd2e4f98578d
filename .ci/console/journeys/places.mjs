// Every place, for every role, at two widths, in both schemes; and how fast they are.
import { accessible, api, as, assert, journey, newOrder, serve, settled } from "./kit.mjs";
import { demo } from "./server.mjs";

const PLACES = ["/", "/orders", "/orders/new", "/orders/import", "/payments", "/analytics", "/analytics?report=revenue-by-user", "/analytics?report=status-counts", "/analytics?report=top-items", "/analytics?report=taxes", "/users", "/roles", "/keys", "/webhooks", "/audit", "/system", "/account"];
const MENUS = {
  admin: ["Home", "Orders", "Payments", "Analytics", "Users", "Roles", "API keys", "Webhooks", "Audit log", "System"],
  manager: ["Home", "Orders", "Payments", "Analytics", "Users", "Webhooks", "Audit log"],
  staff: ["Home", "Orders", "Payments"],
  analyst: ["Home", "Orders", "Payments", "Analytics"],
  customer: ["My orders", "Payments"],
};

for (const [role, menu] of Object.entries(MENUS)) {
  await journey(`${role}: what is there, and nothing is asked that the role may not`, async () => {
    const page = await as(demo, role);
    const refused = [];
    page.on("response", response => { if ([401, 403].includes(response.status())) refused.push(response.url()); });
    assert.deepEqual(await page.locator("aside nav a").allTextContents().then(names => names.map(name => name.trim())), menu);
    for (const place of PLACES) {
      await page.goto(`${demo.url}/console${place}`);
      await settled(page);
    }
    assert.deepEqual(refused, []);
    if (role === "staff") {
      await page.goto(`${demo.url}/console`);
      await page.waitForURL(/status=confirmed/);
      await page.goto(`${demo.url}/console/analytics`);
      await page.getByText("Your role can't see this.").waitFor();
    }
  });
}

for (const width of [1280, 390]) for (const scheme of ["light", "dark"]) {
  await journey(`every place at ${width} px, ${scheme}`, async () => {
    const page = await as(demo, "admin", { width, height: 844, scheme });
    const order = await newOrder(page, { customer: { name: "A", address: "Averyveryverylongstreetnamewithoutanyspaceatall 12345678901234567890\nBerlin" }, note: "n" });
    const found = [];
    for (const place of [...PLACES, `/orders/${order.id}`, `/orders/${order.id}/items`, "/no/such/place"]) {
      await page.goto(`${demo.url}/console${place}`);
      await accessible(page, `${place} at ${width} px, ${scheme}`).catch(error => found.push(error.message));
    }
    assert.deepEqual(found, []);
    await page.getByRole("button", { name: "Find" }).first().click();
    await accessible(page, "find");
  });
}

await journey("320 px wide", async () => {
  const page = await as(demo, "staff", { width: 320, height: 640 });
  for (const place of ["/", "/orders", "/orders/new", "/account"]) {
    await page.goto(`${demo.url}/console${place}`);
    await accessible(page, `${place} at 320 px`);
  }
});

await journey("a key for the bookkeeper", async () => {
  const page = await as(demo, "admin", { at: "/keys" });
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Name").fill("Bookkeeper");
  await page.getByRole("button", { name: /^Bookkeeping/ }).click();
  await page.getByRole("button", { name: "Create key" }).click();
  const secret = await page.locator(".secret code").textContent();
  assert.match(secret, /^ork_/);
  const headers = { Authorization: `Bearer ${secret}` };
  assert.equal((await fetch(`${demo.url}/v1/analytics/daily?from=2026-01-01&to=2026-01-02`, { headers })).status, 200);
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Revoke Bookkeeper" }).click();
  await page.getByText("No keys yet").waitFor();
  assert.equal((await fetch(`${demo.url}/v1/analytics/daily?from=2026-01-01&to=2026-01-02`, { headers })).status, 401);
});

await journey("an endpoint: its secret is shown once", async () => {
  const page = await as(demo, "manager", { at: "/webhooks" });
  await page.getByRole("button", { name: "New endpoint" }).click();
  await page.getByLabel("Address").fill("https://example.com/hook");
  await page.getByRole("button", { name: "Create endpoint" }).click();
  assert.match(await page.locator(".secret code").textContent(), /^whsec_/);
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("link", { name: "https://example.com/hook" }).click();
  await page.getByRole("heading", { name: "example.com" }).waitFor();
  await accessible(page, "endpoint");
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("button", { name: "Enable" }).waitFor();
});

await journey("import of a file", async () => {
  const page = await as(demo, "staff", { at: "/orders/import" });
  const line = (ref, more = {}) => JSON.stringify({ external_ref: ref, currency: "EUR", items: [{ sku: "I", name: "Imported", quantity: 1, unit_amount: 100 }], ...more });
  const file = { name: "orders.ndjson", mimeType: "application/x-ndjson", buffer: Buffer.from([line("imp-1"), line("imp-2"), line("imp-1"), line("imp-3", { currency: "XXXX" })].join("\n")) };
  await page.getByLabel("File (NDJSON)").setInputFiles(file);
  await page.getByRole("button", { name: "Import" }).click();
  await page.getByText("2 created, 1 there already, 1 failed.").waitFor();
  await page.getByText("currency", { exact: false }).first().waitFor();
});

/** The page of the system of a new server with these settings and one order, once this text is there. */
async function systemWith(text, ...settings) {
  const server = await serve(...settings);
  server.users.admin = { email: "ada@example.com", password: "a long enough phrase" };
  const setUp = { token: server.token, name: "Ada", ...server.users.admin };
  await fetch(`${server.url}/v1/setup`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(setUp) });
  const page = await as(server, "admin", { at: "/system" });
  await newOrder(page);
  while (!await page.getByText(text, { exact: true }).isVisible()) {
    await page.waitForTimeout(500);
    await Promise.all([page.waitForResponse("**/v1/system/backup-schedule"), page.getByRole("button", { name: "Look again" }).click()]);
  }
  return { page, stop: async () => { await page.close(); await server.stop(); } };
}

await journey("scheduled backups: the latest one, and a warning when they fail", async () => {
  const good = await systemWith("Verified", "--set", "backup.every=1s");
  await good.page.getByText(/\d\sMB/).waitFor();
  assert.equal(await good.page.getByRole("alert").count(), 0);
  await good.stop();
  const failing = await systemWith("Backups fail", "--set", "backup.every=1s", "--set", "backup.dir=/proc/orderd");
  await accessible(failing.page, "failing backups");
  await failing.stop();
});

await journey("the chart is read by keys, and as a table", async () => {
  const page = await as(demo, "analyst");
  await page.locator(".chart svg[tabindex]").focus();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  await page.locator(".here").waitFor();
  await page.getByRole("button", { name: "Table" }).first().click();
  const rows = await page.locator(".chart tbody tr").count();
  assert.equal(rows, 30);
  const answer = await api(page, "/v1/analytics/status-counts?from=2026-01-01&to=2030-01-01");
  assert.equal(answer.status, 200);
});

await journey("keys: go, help, off", async () => {
  const page = await as(demo, "manager", { at: "/account" });
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await page.getByRole("heading", { name: "Orders" }).waitFor();
  await page.keyboard.press("?");
  await page.getByLabel("Single keys act").uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("n");
  await page.waitForTimeout(200);
  assert.match(page.url(), /\/orders$/);
  await page.evaluate(() => localStorage.removeItem("singleKeys"));
});
