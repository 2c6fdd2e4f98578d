// Set-up, log-in and its end.
import http from "node:http";
import { accessible, api, as, assert, context, forget, journey, serve, settled, signIn } from "./kit.mjs";
import { demo } from "./server.mjs";

await journey("set up an empty server", async () => {
  const empty = await serve();
  const page = await (await context(empty)).newPage();
  await page.goto(`${empty.url}/`);
  await page.waitForURL(/\/console\/setup$/);
  await accessible(page, "set-up");
  await page.getByLabel("Setup token").fill("wrong");
  await page.getByLabel("Name").fill("Ada");
  await page.getByLabel("E-mail").fill("ada@example.com");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Create administrator" }).click();
  await page.locator("[aria-invalid=true]").first().waitFor();
  await page.getByLabel("Setup token").fill(empty.token);
  await page.getByLabel("Password").fill("a long enough phrase");
  await page.getByRole("button", { name: "Create administrator" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
  await page.getByText("No figures yet").waitFor();
  await page.close();
  await empty.stop();
});

await journey("log in: wrong, delayed, right", async () => {
  const page = await (await context(demo)).newPage();
  await page.goto(demo.console);
  assert.equal(await page.getByLabel("E-mail").inputValue(), demo.users.admin.email, "the demo fills the e-mail in");
  await accessible(page, "log-in");
  await page.getByLabel("E-mail").fill("nobody@example.com");
  const waits = page.getByText(/Too many attempts. Wait \d+ s/);
  for (let attempt = 0; attempt < 10 && !await waits.isVisible(); attempt++) {
    await page.getByLabel("Password").fill(`not this ${attempt}`);
    await Promise.all([page.waitForResponse("**/v1/auth/session"), page.getByRole("button", { name: "Sign in" }).click()]);
    await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
    if (attempt === 0) await page.getByText("No user has this e-mail address and password.").waitFor();
  }
  await waits.waitFor();
  assert.ok(await page.getByRole("button", { name: "Sign in" }).isDisabled());
  await page.getByLabel("E-mail").fill(demo.users.analyst.email);
  await page.getByLabel("Password").fill(demo.users.analyst.password);
  await page.waitForFunction(() => !document.querySelector("button.main")?.disabled, null, { timeout: 60_000 });
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
});

await journey("either half of a session alone is refused, and so is another port", async () => {
  const page = await as(demo, "staff");
  assert.equal((await api(page, "/v1/auth/me")).status, 200);
  const whole = await page.context().storageState();
  const key = whole.origins[0].localStorage.find(one => one.name === "consoleKey").value, cookie = whole.cookies[0];
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict" && cookie.path === "/");
  assert.ok(!(await page.evaluate(() => document.cookie)).includes(cookie.name), "scripts can't read the cookie");
  const ask = headers => fetch(`${demo.url}/v1/auth/me`, { headers }).then(answer => answer.status);
  assert.equal(await ask({ "X-Console-Key": key }), 401);
  assert.equal(await ask({ Cookie: `${cookie.name}=${cookie.value}` }), 401);
  assert.equal(await ask({ Cookie: `${cookie.name}=${cookie.value}`, "X-Console-Key": key }), 200);
  // A page of another port has the cookie, which knows no ports, but can't send the header.
  const other = http.createServer((_, answer) => answer.end("<!doctype html><title>x</title>")).listen(0, "127.0.0.1");
  const strange = await page.context().newPage();
  await strange.goto(`http://127.0.0.1:${other.address().port}/`).catch(() => {});
  const got = await strange.evaluate(async ([url, key]) => {
    const plain = await fetch(`${url}/v1/auth/me`, { credentials: "include" }).then(() => "read", () => "refused");
    const keyed = await fetch(`${url}/v1/auth/me`, { credentials: "include", headers: { "X-Console-Key": key } }).then(() => "read", () => "refused");
    return [plain, keyed];
  }, [demo.url, key]);
  assert.deepEqual(got, ["refused", "refused"]);
  other.close();
  // The strange page's own requests are the test's.
  (await import("./kit.mjs")).faults.length = 0;
});

await journey("out in one tab is out in all", async () => {
  const page = await as(demo, "customer");
  const second = await page.context().newPage();
  await second.goto(`${demo.url}/console/orders`);
  await settled(second);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await second.getByRole("button", { name: "Sign in" }).waitFor();
  await signIn(second, demo.users.customer);
  await page.locator("main:not(.login) h1").waitFor();
  forget(demo, "customer");
});

await journey("a session ended elsewhere asks again and keeps what was typed", async () => {
  forget(demo, "manager");
  const page = await as(demo, "manager", { at: "/orders/new" });
  forget(demo, "manager");
  // The currency of the newest order, which the form begins with, may have no decimals.
  await page.getByLabel("Currency").selectOption("EUR");
  await page.getByLabel("Item").first().fill("A rare thing");
  const me = (await api(page, "/v1/auth/me")).body;
  const admin = await as(demo, "admin");
  assert.equal((await api(admin, `/v1/users/${me.id}/sessions`, { method: "DELETE" })).status, 204);
  await page.getByLabel("Price").first().fill("12.34");
  await page.getByRole("button", { name: "Keep as draft" }).click();
  await page.getByRole("dialog", { name: "Your session has ended" }).waitFor();
  await page.getByRole("dialog").getByLabel("Password").fill(demo.users.manager.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.equal(await page.getByLabel("Item").first().inputValue(), "A rare thing");
  await page.getByRole("button", { name: "Keep as draft" }).click();
  await page.getByText("The draft is kept.").waitFor();
});

await journey("a session that ended while no page was open is forgotten at the next one", async () => {
  forget(demo, "staff");
  const page = await as(demo, "staff", { at: "/orders" });
  const me = (await api(page, "/v1/auth/me")).body;
  const admin = await as(demo, "admin");
  assert.equal((await api(admin, `/v1/users/${me.id}/sessions`, { method: "DELETE" })).status, 204);
  await page.reload();
  await page.getByRole("heading", { name: "orderd" }).waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.equal(await page.evaluate(() => localStorage.consoleKey), undefined);
  forget(demo, "staff");
});
