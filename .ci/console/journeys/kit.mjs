// What the journeys share: servers, a browser, log-in, and the checks that hold on every page.
import { chromium } from "playwright-core";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const binary = process.argv[2];
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const running = [];

/** Starts a server on a fresh database. Answers its address, the users that it printed, and the setup token. */
export async function serve(...more) {
  const folder = await mkdtemp(join(tmpdir(), "orderd-console-"));
  const child = spawn(binary, ["serve", "--db", join(folder, "orders.db"), "--listen", "127.0.0.1:0", "--set", "limits.requests_per_minute=0", "--set", "server.request_timeout=30s", ...more], { stdio: ["ignore", "pipe", "ignore"] });
  const server = { url: "", users: {}, token: "", console: "", stop: async () => { const ended = new Promise(done => child.once("exit", done)); if (child.exitCode === null && child.signalCode === null) { child.kill(); await ended; } await rm(folder, { recursive: true, force: true }); } };
  running.push(server);
  const last = more.includes("--demo") ? "console: " : "setup token: ";
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith("listening on ")) server.url = line.slice(13);
    if (line.startsWith("setup token: ")) server.token = line.slice(13);
    if (line.startsWith("console: ")) server.console = line.slice(9);
    const user = /^demo user: (\S+) (\S+) (\S+)$/.exec(line);
    if (user) server.users[user[1]] = { email: user[2], password: user[3] };
    if (line.startsWith(last)) break;
  }
  return server;
}

export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
export const finish = async () => { await browser.close(); await Promise.all(running.map(server => server.stop())); };

/** What went wrong on any page: errors, reports of the policy, requests to anywhere else. */
export const faults = [];
/** What a journey provokes on purpose: the browser writes every refused request to its console. */
const REFUSED = /Failed to load resource: the server responded with a status of (401|403|404|409|412|422|429)|net::ERR_(FAILED|ABORTED|INTERNET_DISCONNECTED|CONNECTION)/;

/** @param {{url: string, partner?: string}} server */
export async function context(server, { width = 1280, height = 832, scheme = "light", state } = {}) {
  const made = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, locale: "en-US", timezoneId: "UTC", storageState: state, hasTouch: width < 500, reducedMotion: "reduce", acceptDownloads: true });
  made.setDefaultTimeout(15_000);
  made.on("page", page => {
    page.on("console", message => { if (["error", "warning"].includes(message.type()) && !(server.partner && page.url().startsWith(server.partner)) && !REFUSED.test(message.text())) faults.push(`${page.url()}: ${message.text()}`); });
    page.on("pageerror", error => faults.push(`${page.url()}: ${error.stack}`));
    // What the pages of a partner ask for, such as a provider of sign-in, is their own affair.
    const isExpected = url => url.startsWith(server.url) || /^(data|blob):/.test(url) || (server.partner && (url.startsWith(server.partner) || page.url().startsWith(server.partner)));
    page.on("request", request => { if (!isExpected(request.url())) faults.push(`${page.url()} asks ${request.url()}`); });
  });
  return made;
}

const states = new Map();
/** A page of this role, logged in; the log-in itself is done once for each role. */
export async function as(server, role, options = {}) {
  const name = `${server.url} ${role}`;
  if (!states.has(name)) {
    const first = await context(server), page = await first.newPage();
    await page.goto(`${server.url}/console/login`);
    await signIn(page, server.users[role]);
    states.set(name, await first.storageState());
    await first.close();
  }
  const page = await (await context(server, { ...options, state: states.get(name) })).newPage();
  await page.goto(`${server.url}/console${options.at ?? ""}`);
  await settled(page);
  return page;
}
/** Forgets a log-in that a journey ends. */
export const forget = (server, role) => states.delete(`${server.url} ${role}`);

export async function signIn(page, { email, password }) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("main:not(.login) h1").waitFor();
}

/** The page stands: a heading, and nothing grey that waits. */
export async function settled(page) {
  await page.locator("h1").first().waitFor();
  await page.waitForFunction(() => !document.querySelector(".waiting:not(.end .waiting)"));
}

/** No violation of WCAG 2.2 AA that a program can find, but for those of these rules, and nothing wider than the window. */
export async function accessible(page, what, except = []) {
  await settled(page);
  if (!await page.evaluate(() => "axe" in window)) await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const told = violations.filter(({ id }) => !except.includes(id)).map(({ id, help, nodes }) => `${id}: ${help}\n    ${nodes.slice(0, 4).map(node => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join("\n    ")}`);
  assert.equal(told.join("\n  "), "", what);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${what}: ${wide} px wider than the window`);
}

/** Asks the API as the page does. */
export const api = (page, path, options = {}) => page.evaluate(async ([path, options]) => {
  const response = await fetch(path, { ...options, headers: { "X-Console-Key": localStorage.consoleKey ?? "", ...(options.body ? { "Content-Type": "application/json" } : {}), ...options.headers } });
  const text = await response.text();
  return { status: response.status, body: text && response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text };
}, [path, options]);

let serial = 0;
/** A fresh order over the API: three of an item at 10.00. */
export async function newOrder(page, more = {}) {
  const body = { currency: "EUR", items: [{ sku: "TRIAL", name: "Trial", quantity: 3, unit_amount: 1000 }], user_id: null, customer: { name: `Ada Trial ${++serial}` }, ...more };
  const answer = await api(page, "/v1/orders", { method: "POST", body: JSON.stringify(body), headers: { "Idempotency-Key": `journey-${Date.now()}-${serial}` } });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}
export async function paid(page, order, amount) {
  const answer = await api(page, `/v1/orders/${order.id}/payments`, { method: "POST", body: JSON.stringify({ amount }), headers: { "Idempotency-Key": `journey-pay-${order.id}` } });
  assert.equal(answer.status, 201);
}

const chosen = process.argv.slice(3);
const slow = [];
/** Runs a journey and tells how long it took. A failed one is told at once; the rest goes on. */
export async function journey(name, run) {
  if (chosen.length && !chosen.some(one => name.includes(one))) return;
  const begun = Date.now(), before = faults.length;
  let error = null;
  try { await run(); } catch (problem) { error = problem; }
  const told = faults.slice(before);
  if (!error && told.length) error = new Error(told.join("\n"));
  console.log(`${error ? "FAILED" : "    ok"} ${String(Date.now() - begun).padStart(6)} ms  ${name}`);
  if (error) { console.log(String(error.stack ?? error).slice(0, 3000)); slow.push(name); process.exitCode = 1; }
  for (const one of browser.contexts()) await one.close();
}
export { assert };
