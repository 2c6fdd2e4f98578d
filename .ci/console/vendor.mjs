// Makes assets/console/vendor/preact.js and preact.d.ts: Preact, its hooks, signals and htm in one module, minified and
// as published otherwise. `node vendor.mjs --check` fails when the committed files are not what comes out.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";

const folder = new URL("../../assets/console/vendor/", import.meta.url);
const version = async name => JSON.parse(await readFile(new URL(`../node_modules/${name}/package.json`, import.meta.url))).version;
const names = ["preact", "@preact/signals", "htm"];
const versions = await Promise.all(names.map(version));

const entry = `
  import { h } from "preact";
  import htm from "htm";
  export { render } from "preact";
  export { useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
  export { batch, computed, effect, signal } from "@preact/signals";
  export const html = htm.bind(h);
`;
const types = `// The types of preact.js, as far as the console uses it.
export type Node = unknown;
export interface Signal<T> { value: T; peek(): T; subscribe(seen: (value: T) => void): () => void }
export interface ReadonlySignal<T> { readonly value: T; peek(): T }
export function signal<T>(value: T): Signal<T>;
export function computed<T>(make: () => T): ReadonlySignal<T>;
export function effect(run: () => void | (() => void)): () => void;
export function batch<T>(run: () => T): T;
export function html(strings: TemplateStringsArray, ...values: unknown[]): any;
export function render(node: unknown, parent: Element): void;
export function useState<T>(first: T | (() => T)): [T, (to: T | ((was: T) => T)) => void];
export function useEffect(run: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useLayoutEffect(run: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useRef<T>(first: T): { current: T };
export function useMemo<T>(make: () => T, inputs: readonly unknown[]): T;
export function useId(): string;
export function useErrorBoundary(seen?: (error: unknown) => void): [unknown, () => void];
`;
const made = await build({
  stdin: { contents: entry, resolveDir: new URL(".", import.meta.url).pathname },
  bundle: true, minify: true, format: "esm", target: "es2022", write: false, legalComments: "none",
  banner: { js: `/* ${names.map((name, i) => `${name} ${versions[i]}`).join(", ")}: MIT (Preact) and Apache-2.0 (htm). Made by .ci/console/vendor.mjs. */` },
});
const files = { "preact.js": made.outputFiles[0].text, "preact.d.ts": types };
await mkdir(folder, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  if (!process.argv.includes("--check")) { await writeFile(new URL(name, folder), text); continue; }
  if (await readFile(new URL(name, folder), "utf8") !== text) {
    console.error(`assets/console/vendor/${name} is not what .ci/console/vendor.mjs makes: run \`npm run vendor\` in .ci`);
    process.exit(1);
  }
}
