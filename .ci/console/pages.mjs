// The pages beside the console, and its log-in, on the executable that is the first argument: axe finds no fault on any of
// them, light or dark, none is wider than a phone, and Lighthouse gives their accessibility 100 of 100.
import lighthouse from "lighthouse";
import { chromium } from "playwright-core";
import { accessible, assert, context, finish, journey, serve } from "./journeys/kit.mjs";

const RATED = ["/guide", "/guide/orders", "/docs", "/console/login", "/problems", "/problems/not-found"];
/** What Swagger UI, which is shown as it is published, does otherwise: its colours, headings, landmarks and labels. */
const EXCEPT = { "/docs": ["color-contrast", "heading-order", "nested-interactive", "region", "select-name", "target-size"] };
const SIZES = [[1280, "light"], [360, "dark"]];

const server = await serve();
const index = await (await context(server)).newPage();
await index.goto(`${server.url}/guide`);
const chapters = await index.locator("main a[href^='/guide/']").evaluateAll(links => links.map(link => link.getAttribute("href")));
const pages = [...new Set(["/", ...RATED, ...chapters])];
assert.ok(chapters.length > 15, `the guide has its chapters: ${chapters}`);

for (const [width, scheme] of SIZES) {
  await journey(`${pages.length} pages at ${width} px, ${scheme}`, async () => {
    const page = await (await context(server, { width, scheme })).newPage();
    for (const address of pages) {
      await page.goto(server.url + address);
      await accessible(page, address, EXCEPT[address]);
    }
  });
}

await journey("Lighthouse", async () => {
  const port = 20_000 + process.pid % 20_000;
  const rated = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", `--remote-debugging-port=${port}`] });
  for (const address of RATED) {
    const { lhr } = await lighthouse(server.url + address, { port, onlyCategories: ["accessibility"], logLevel: "error" });
    const except = EXCEPT[address] ?? [];
    const faults = Object.values(lhr.audits).filter(({ id, score }) => score !== null && score < 1 && !except.includes(id));
    const told = faults.map(({ id, title, details }) => `${id}: ${title} ${JSON.stringify(details?.items?.slice(0, 3).map(item => item.node?.snippet))}`);
    assert.equal(told.join("\n"), "", address);
    const score = lhr.categories.accessibility.score;
    assert.ok(score === 1 || except.length, `${address}: ${score}`);
    console.log(`        ${Math.round(score * 100)} ${address}`);
  }
  await rated.close();
});
await finish();
