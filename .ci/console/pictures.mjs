// Makes the pictures of README.md and the guide from the real thing, on demo data: `node pictures.mjs ORDERD`.
import { writeFile } from "node:fs/promises";
import { as, finish, serve, settled } from "./journeys/kit.mjs";
import { png } from "./png.mjs";

const folder = new URL("../../assets/pictures/", import.meta.url).pathname;
const demo = await serve("--demo");
// Inter stands in for the reader's system font.
const looks = "body, button, input, select { font-family: Inter, system-ui, sans-serif !important; }";

/** A picture of the page as the browser makes it. */
async function shoot(page) {
  await settled(page);
  await page.evaluate(text => { const sheet = new CSSStyleSheet(); sheet.replaceSync(text); document.adoptedStyleSheets = [sheet]; }, looks);
  await page.waitForTimeout(400);
  return (await page.screenshot()).toString("base64");
}
const first = async page => { await page.locator(".list .no a").first().click(); await page.locator(".timeline").waitFor(); };
const blank = await (await as(demo, "manager")).context().newPage();
/** Keeps a picture, made smaller: the binary holds it. */
const keep = async (name, picture) => writeFile(`${folder}console-${name}.png`, await png(blank, picture));

const home = await as(demo, "manager");
await keep("home", await shoot(home));
const dark = await as(demo, "manager", { scheme: "dark" });
await keep("dark", await shoot(dark));
const order = await as(demo, "manager", { at: "/orders?payment_status=partially_refunded&status=fulfilled" });
await first(order);
await keep("order", await shoot(order));

// Phones side by side on one page of their own: a list and an order, the second in the dark.
const shots = [];
for (const scheme of ["light", "dark"]) {
  const phone = await as(demo, "staff", { width: 390, height: 800, scheme, at: "/orders?status=confirmed" });
  if (scheme === "dark") await first(phone);
  shots.push(await shoot(phone));
}
const frame = await (await home.context().browser().newContext({ viewport: { width: 840, height: 840 } })).newPage();
await frame.setContent(`<body style="margin:0;background:#dfe4e8;display:flex;gap:20px;padding:20px">${shots.map(shot => `<img style="border-radius:14px" src="data:image/png;base64,${shot}">`).join("")}</body>`);
await keep("phone", (await frame.screenshot()).toString("base64"));
await finish();
