// Requests to the API. Every page asks through `ask` and writes through `send`.

/** The path in front of `/v1` and `/console`: empty unless the server runs below a path. */
export const root = new URL("../../../../", import.meta.url).pathname.slice(0, -1);

/** What the server refused, as RFC 9457 has it. */
export class Problem extends Error {
  /** @param {ProblemBody} body @param {number} [retryAfter] */
  constructor(body, retryAfter = 0) {
    super(body.detail ?? body.title);
    this.body = body;
    this.code = body.code;
    this.status = body.status;
    this.retryAfter = retryAfter;
  }
  /** The fault at a field, such as `#/amount`. @param {string} pointer */
  at(pointer) {
    return this.body.errors?.find(fault => fault.pointer === pointer)?.detail;
  }
}

/** Nobody answered, or the answer says that the outcome is not known. */
export class Unknown extends Error {}

/** Tells when the server says that the session is over. */
export const sessionEnded = new EventTarget();

/** @typedef {{method?: string, body?: unknown, raw?: BodyInit, type?: string, key?: string, version?: number, accept?: string, signal?: AbortSignal}} Options */

/**
 * Asks the server. The session is a cookie that scripts can't read; the header is its other half,
 * which other ports and sites can't send. Neither is of use without the other.
 * @param {string} path @param {Options} [options]
 */
export async function request(path, { method = "GET", body, raw, type, key, version, accept = "application/json", signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: accept, "X-Console-Key": localStorage.consoleKey ?? "" };
  if (body !== undefined || type) headers["Content-Type"] = type ?? "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  const response = await fetch(root + path, { method, headers, body: body === undefined ? raw : JSON.stringify(body), signal });
  if (response.ok) return response;
  const problem = new Problem(await response.json().catch(() => unreadable(response)), Number(response.headers.get("retry-after") ?? 0));
  if (problem.status === 401 && !path.startsWith("/v1/auth/session")) sessionEnded.dispatchEvent(new Event("ended"));
  if (problem.code === "second_factor_setup_required") sessionEnded.dispatchEvent(new Event("factor"));
  throw problem;
}

/** Something between the console and the server answered. @param {Response} response @returns {ProblemBody} */
const unreadable = response => ({ type: "about:blank", title: `The answer was ${response.status} ${response.statusText}`, status: response.status, detail: "Something between this page and the server answered. Try again.", code: "unreadable", request_id: response.headers.get("x-request-id") ?? "", retryable: response.status >= 500 });

/** The JSON of an answer, or null if it has none. @param {string} path @param {Options} [options] @returns {Promise<any>} */
export async function ask(path, options) {
  const response = await request(path, options);
  return response.status === 204 ? null : response.json();
}

/** Whether the effect of a write that failed so is not known. @param {any} error */
const leavesOpen = error => error instanceof TypeError || error.code === "timeout" || error.code === "outcome_unknown";

/**
 * Writes with a key. When no answer comes it is sent once more by itself: the key makes that safe.
 * @param {string} path @param {Options & {key: string}} options
 */
export async function send(path, options) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask(path, options);
    } catch (error) {
      if (!leavesOpen(error)) throw error;
      if (attempt === 2) throw new Unknown("No answer came.");
      await new Promise(done => setTimeout(done, 800));
    }
  }
}

/** A query string without what is empty. @param {Record<string, string | number | undefined | null>} values */
export const query = values =>
  new URLSearchParams(Object.entries(values).flatMap(([name, value]) => (value ?? "") === "" ? [] : [[name, String(value)]])).toString();

/** A fresh key for a form: made when it opens, kept for every attempt until one succeeds. */
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, "0")).join("");

/** Saves an answer as a file, under the name that the server gives or the last of its path. @param {string} path */
export async function save(path) {
  const response = await request(path, { accept: "*/*" });
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await response.blob()), download: name ?? /[^/]+(?=\?|$)/.exec(path)?.[0] ?? "" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
