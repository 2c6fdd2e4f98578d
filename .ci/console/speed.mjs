// How fast the console is: `node speed.mjs ORDERD`. It prints figures and judges nothing.
import { as, context, finish, serve, settled } from "./journeys/kit.mjs";

const demo = await serve("--demo");
const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const tell = (what, value) => console.log(`${what.padEnd(52)} ${value}`);

const paint = async address => {
  const times = [];
  for (let i = 0; i < 7; i++) {
    const page = await (await context(demo)).newPage();
    await page.goto(demo.url + address);
    times.push(await page.evaluate(() => new Promise(done => new PerformanceObserver(list => done(list.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0)).observe({ type: "paint", buffered: true }))));
    await page.context().close();
  }
  return median(times);
};
tell("first paint of a page of text", `${Math.round(await paint("/problems/not-found"))} ms`);
tell("first paint of the console", `${Math.round(await paint("/console/login"))} ms`);

const page = await as(demo, "manager");
const session = await page.context().newCDPSession(page);
await session.send("Network.enable");
let bytes = 0;
session.on("Network.loadingFinished", event => { bytes += event.encodedDataLength; });
await session.send("Network.setCacheDisabled", { cacheDisabled: true });
await page.goto(`${demo.url}/console/login`);
await page.waitForLoadState("networkidle").catch(() => {});
const files = await page.evaluate(() => performance.getEntriesByType("resource").filter(one => one.name.includes("/console/files/")).map(one => one.encodedBodySize).reduce((sum, size) => sum + size, 0));
tell("all files, compressed", `${files} bytes`);
await session.send("Network.setCacheDisabled", { cacheDisabled: false });

const until = async (place, there) => {
  const times = [];
  for (let i = 0; i < 7; i++) {
    await page.goto(demo.url + "/console/account");
    await settled(page);
    times.push(await page.evaluate(([place, there]) => new Promise(done => {
      const begun = performance.now();
      const watch = new MutationObserver(() => { if (document.querySelector(there)) { watch.disconnect(); requestAnimationFrame(() => done(performance.now() - begun)); } });
      watch.observe(document.body, { childList: true, subtree: true });
      document.querySelector(`aside a[href$="${place}"]`).click();
    }), [place, there]));
  }
  return median(times);
};
tell("the list of orders, from a click to 100 rows", `${Math.round(await until("/console/orders", ".list tbody:nth-of-type(4) tr:nth-of-type(25)"))} ms`);
tell("home, from a click to the chart", `${Math.round(await until("/console/", ".chart polyline"))} ms`);

await page.goto(`${demo.url}/console/orders`);
await settled(page);
const grow = async () => {
  const rows = await page.locator(".list tbody tr").count();
  return page.evaluate(rows => new Promise(done => {
    let asked = 0;
    const ask = window.fetch;
    // The page's own work begins when the answer is there.
    window.fetch = async (...request) => { const answer = await ask(...request); const json = answer.json.bind(answer); answer.json = async () => { const value = await json(); asked = performance.now(); return value; }; return answer; };
    const watch = new MutationObserver(() => { if (document.querySelectorAll(".list tbody tr").length > rows) { watch.disconnect(); window.fetch = ask; requestAnimationFrame(() => setTimeout(() => done(performance.now() - asked))); } });
    watch.observe(document.querySelector(".list"), { childList: true, subtree: true });
    scrollTo(0, document.body.scrollHeight);
  }), rows);
};
const times = {};
for (let rows = 100; rows < 5000; rows += 100) times[rows] = await grow();
for (const rows of [1000, 2000, 4900]) tell(`100 rows added to ${rows}`, `${Math.round(median([times[rows - 200], times[rows - 100], times[rows]].filter(Boolean)))} ms`);
await finish();
