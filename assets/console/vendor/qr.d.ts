// The types of qr.js, as far as the console uses it.
export interface Modules { readonly size: number; get(x: number, y: number): boolean }
export function generate(text: string): Modules;
