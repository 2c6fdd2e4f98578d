// The icons: one path each, drawn in the colour of the text.
import { html } from "../vendor/preact.js";

const PATHS = {
  home: "M3 11 12 4l9 7M5 10v10h5v-6h4v6h5V10",
  orders: "M5 4h14v17l-3-2-2 2-2-2-2 2-2-2-3 2zM9 9h6M9 13h6",
  figures: "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6",
  money: "M3 7h18v11H3zM3 11h18M7 15h3",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.4-4 3-6 6.500-6s6 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14.500c2 .8 3.200 2.600 3.500 5.500",
  audit: "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4",
  keys: "M8 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM11 12l8-8M16 7l3 3M13.500 9.500l2 2",
  system: "M4 5h16v5H4zM4 14h16v5H4zM8 7.500h.01M8 16.500h.01",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
  plus: "M12 5v14M5 12h14",
  check: "M5 12.500l4.500 4.500L19 7.500",
  close: "M6 6l12 12M18 6L6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  refund: "M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  truck: "M2 6h12v10H2zM14 10h4l4 3v3h-8M6 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  filter: "M4 6h16M7 12h10M10 18h4",
  moon: "M20 14.500A8.500 8.500 0 1 1 9.500 4 7 7 0 0 0 20 14.500z",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  table: "M4 5h16v14H4zM4 10h16M10 5v14",
  hook: "M12 4a3.5 3.5 0 0 1 3 5.300L12 15M6.500 12.500A3.500 3.500 0 1 0 10 17h6M17.500 12.500a3.500 3.500 0 1 1-1.500 6.700",
  roles: "M4 6h16M4 12h16M4 18h16M8 4v4M16 10v4M10 16v4",
  upload: "M12 19V8M7 12l5-5 5 5M5 4h14",
  print: "M7 8V4h10v4M5 8h14v8h-3v4H8v-4H5zM8 14h8",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
};
/** @typedef {keyof typeof PATHS} Icon */
/** @param {Icon} name */
export const icon = name => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
