// Makes the pictures of README.md and the guide from the real thing, on demo data: `node pictures.mjs ORDERD`.
import { as, finish, serve, settled } from "./journeys/kit.mjs";

const folder = new URL("../../assets/pictures/", import.meta.url).pathname;
const demo = await serve("--demo");
// Inter stands in for the reader's system font.
const looks = "body, button, input, select { font-family: Inter, system-ui, sans-serif !important; }";
const shoot = async (page, name, options = {}) => { await settled(page); await page.evaluate(text => { const sheet = new CSSStyleSheet(); sheet.replaceSync(text); document.adoptedStyleSheets = [sheet]; }, looks); await page.waitForTimeout(400); await page.screenshot({ path: `${folder}console-${name}.png`, ...options }); };

const home = await as(demo, "manager");
await shoot(home, "home");
const list = await as(demo, "manager", { at: "/orders?payment_status=partially_refunded&status=fulfilled" });
await list.locator(".list .no a").first().click();
await list.locator(".timeline").waitFor();
await shoot(list, "order");

// Two phones side by side on one page of their own.
const shots = [];
for (const [role, at] of [["staff", "/orders?status=confirmed"], ["staff", null]]) {
  const phone = await as(demo, role, { width: 390, height: 800, scheme: "dark", at: at ?? "/orders?status=confirmed" });
  if (!at) { await phone.locator(".list .no a").first().click(); await phone.locator(".timeline").waitFor(); }
  await settled(phone);
  await phone.evaluate(text => { const sheet = new CSSStyleSheet(); sheet.replaceSync(text); document.adoptedStyleSheets = [sheet]; }, looks);
  await phone.waitForTimeout(400);
  shots.push((await phone.screenshot()).toString("base64"));
}
const frame = await (await home.context().browser().newContext({ viewport: { width: 840, height: 840 } })).newPage();
await frame.setContent(`<body style="margin:0;background:#dfe4e8;display:flex;gap:20px;padding:20px">${shots.map(shot => `<img style="border-radius:14px" src="data:image/png;base64,${shot}">`).join("")}</body>`);
await frame.screenshot({ path: `${folder}console-phone.png` });
await finish();
