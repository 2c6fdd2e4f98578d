// Colleagues: invitations, a second factor, roles.
import jsQr from "jsqr";
import { createHmac } from "node:crypto";
import { accessible, api, as, assert, context, journey, newOrder, settled, signIn } from "./kit.mjs";
import { demo } from "./server.mjs";

/** The code of RFC 6238 for a secret in base32. */
function codeOf(secret, at = Date.now()) {
  const bits = [...secret.replace(/=+$/, "")].map(letter => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map(byte => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const hash = createHmac("sha1", key).update(counter).digest(), from = hash[19] & 15;
  return String((hash.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** What a phone reads in a picture of this element. The browser unpacks the picture. */
async function read(page, element) {
  const { data, width, height } = await page.evaluate(async picture => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return { data: [...canvas.getImageData(0, 0, image.width, image.height).data], width: image.width, height: image.height };
  }, (await element.screenshot()).toString("base64"));
  return jsQr(Uint8ClampedArray.from(data), width, height, { inversionAttempts: "dontInvert" })?.data;
}

const grace = { email: "grace@example.com", password: "a phrase of grace herself" };

await journey("invite a colleague: the link sets their password, once", async () => {
  const page = await as(demo, "admin", { at: "/users" });
  await page.getByRole("button", { name: "New user" }).click();
  await page.getByLabel("Name").fill("Grace Colleague");
  await page.getByLabel("E-mail").fill(grace.email);
  await page.getByLabel("Role", { exact: true }).last().selectOption("manager");
  await page.getByRole("button", { name: "Create user" }).click();
  const link = await page.locator(".secret code").textContent();
  assert.match(link, /\/console\/reset#token=orr_/);
  const theirs = await (await context(demo)).newPage();
  await theirs.goto(link);
  await accessible(theirs, "set a password");
  await theirs.getByLabel("New password").fill("short");
  await theirs.getByRole("button", { name: "Set password" }).click();
  await theirs.locator("[aria-invalid=true]").waitFor();
  await theirs.getByLabel("New password").fill(grace.password);
  await theirs.getByRole("button", { name: "Set password" }).click();
  await theirs.getByRole("button", { name: "Sign in" }).waitFor();
  await signIn(theirs, grace);
  await theirs.getByRole("heading", { name: "Home" }).waitFor();
});

await journey("a second factor: set up, asked for at log-in, ended", async () => {
  const page = await (await context(demo)).newPage();
  await page.goto(`${demo.url}/console/login`);
  await signIn(page, grace);
  await page.goto(`${demo.url}/console/account`);
  await settled(page);
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByRole("dialog").getByLabel("Password").fill(grace.password);
  await page.getByRole("button", { name: "Go on" }).click();
  const secret = (await page.locator(".secret code").textContent()).replaceAll(" ", "");
  await accessible(page, "second factor");
  const uri = await page.getByRole("link", { name: "open it on this device" }).getAttribute("href");
  assert.ok(uri.startsWith("otpauth://totp/") && uri.includes(`secret=${secret}`), uri);
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    assert.equal(await read(page, page.getByRole("img", { name: "QR code of the key" })), uri, colorScheme);
  }
  await page.getByLabel("Code").fill(codeOf(secret));
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByRole("heading", { name: "Recovery codes" }).waitFor();
  const recovery = (await page.locator(".secret code").textContent()).split(/\s+/);
  assert.equal(recovery.length, 10);
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("E-mail").fill(grace.email);
  await page.getByLabel("Password").fill(grace.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Code").fill("000000");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("This code is wrong or was used already.").waitFor();
  await page.getByLabel("Code").fill(recovery[0]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("main:not(.login) h1").waitFor();
  await page.goto(`${demo.url}/console/account`);
  await settled(page);
  await page.getByRole("button", { name: "End it" }).click();
  await page.getByRole("dialog").getByLabel("Password").fill(grace.password);
  await page.getByLabel("Code").fill(recovery[1]);
  await page.getByRole("button", { name: "End second factor" }).click();
  await page.getByText("The second factor has ended.").waitFor();
  assert.equal((await api(page, "/v1/auth/me")).body.user.second_factor, false);
});

await journey("erase the personal data of an order", async () => {
  const page = await as(demo, "admin");
  const order = await newOrder(page, { customer: { name: "Erasable Person", email: "erasable@example.com" }, note: "secret note" });
  await page.goto(`${demo.url}/console/orders/${order.id}`);
  await page.getByText("Erasable Person").waitFor();
  await page.locator(".more summary").click();
  await page.getByRole("button", { name: "Erase personal data" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Erase personal data" }).click();
  await page.getByRole("status").getByText("Erased.").waitFor();
  await page.getByText("Erasable Person").waitFor({ state: "detached" });
  const after = (await api(page, `/v1/orders/${order.id}`)).body;
  assert.deepEqual([after.customer, after.note, after.total_amount], [null, null, 3000]);
});
