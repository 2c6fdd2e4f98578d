// Makes what is in assets/console/vendor: preact.js (Preact, its hooks, signals and htm in one module) and qr.js (Lean QR),
// minified and as published otherwise. `node vendor.mjs --check` fails when the committed files are not what comes out.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";

const folder = new URL("../../assets/console/vendor/", import.meta.url);
const version = async name => JSON.parse(await readFile(new URL(`../node_modules/${name}/package.json`, import.meta.url))).version;

const preactEntry = `
  import { h } from "preact";
  import htm from "htm";
  export { render } from "preact";
  export { useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
  export { batch, computed, effect, signal } from "@preact/signals";
  export const html = htm.bind(h);
`;
const preactTypes = `// The types of preact.js, as far as the console uses it.
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
const qrEntry = `export { generate } from "lean-qr/nano";`;
const qrTypes = `// The types of qr.js, as far as the console uses it.
export interface Modules { readonly size: number; get(x: number, y: number): boolean }
export function generate(text: string): Modules;
`;

/** One module out of published packages, minified, with their names and versions on top. */
async function bundle(entry, packages, licence) {
  const versions = await Promise.all(packages.map(async name => `${name} ${await version(name)}`));
  const made = await build({
    stdin: { contents: entry, resolveDir: new URL(".", import.meta.url).pathname },
    bundle: true, minify: true, format: "esm", target: "es2022", write: false, legalComments: "none",
    banner: { js: `/* ${versions.join(", ")}: ${licence}. Made by .ci/console/vendor.mjs. */` },
  });
  return made.outputFiles[0].text;
}
const files = {
  "preact.js": await bundle(preactEntry, ["preact", "@preact/signals", "htm"], "MIT (Preact) and Apache-2.0 (htm)"),
  "preact.d.ts": preactTypes,
  "qr.js": await bundle(qrEntry, ["lean-qr"], "MIT"),
  "qr.d.ts": qrTypes,
};
await mkdir(folder, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  if (!process.argv.includes("--check")) { await writeFile(new URL(name, folder), text); continue; }
  if (await readFile(new URL(name, folder), "utf8") !== text) {
    console.error(`assets/console/vendor/${name} is not what .ci/console/vendor.mjs makes: run \`npm run vendor\` in .ci`);
    process.exit(1);
  }
}
