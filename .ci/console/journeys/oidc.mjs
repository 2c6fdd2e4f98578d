// Signing in to the console by OpenID Connect, in a real Chromium. `.ci/oidc.py` starts the provider and the server, and
// runs this with their addresses in ORDERD_URL and PROVIDER_URL.
import { accessible, api, assert, context, finish, journey } from "./kit.mjs";

const server = { url: process.env.ORDERD_URL, partner: process.env.PROVIDER_URL };

/** Somebody at log-in, in a browser of their own. The provider's own pages load a font from elsewhere, which is not here. */
async function atLogin() {
  const made = await context(server);
  await made.route(url => ![server.url, server.partner].includes(url.origin), route => route.abort());
  const page = await made.newPage();
  await page.goto(`${server.url}/console/login`);
  return page;
}
const toProvider = page => page.getByRole("link", { name: "Single sign-on" }).click();
async function signInThere(page, who) {
  await toProvider(page);
  await page.locator("input[name=login]").fill(who);
  await page.locator("input[name=password]").fill("x");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

await journey("sign in with the provider, stay, and sign out", async () => {
  const page = await atLogin();
  await accessible(page, "log-in with a provider");
  await signInThere(page, "ada");
  await page.getByRole("heading", { name: "Home" }).waitFor();
  assert.ok(!page.url().includes("claim"), "the claim is gone from the address");
  assert.equal((await api(page, "/v1/auth/me")).body.user.email, "ada@example.com");
  await page.reload();
  await page.getByRole("heading", { name: "Home" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
  assert.equal((await api(page, "/v1/auth/me")).status, 401);
});

for (const [who, says] of [["grace", "nobody here has the e-mail address that it gave. Ask an administrator to add you."], ["eve", "it has not verified your e-mail address."]]) {
  await journey(`${who} is refused, and is told why`, async () => {
    const page = await atLogin();
    await signInThere(page, who);
    await page.getByRole("alert").getByText(says).waitFor();
    await accessible(page, "a refusal");
    assert.equal(await page.evaluate(() => localStorage.consoleKey), undefined);
  });
}

await journey("who declines at the provider can begin again", async () => {
  const page = await atLogin();
  await toProvider(page);
  await page.getByRole("link", { name: "Cancel" }).click();
  await page.getByRole("alert").getByText("it was declined there").waitFor();
  await signInThere(page, "ada");
  await page.getByRole("heading", { name: "Home" }).waitFor();
});
await finish();
