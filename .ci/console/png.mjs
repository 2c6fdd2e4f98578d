// Writes a picture as a PNG of 256 colours: a picture of a page has few, and takes a third of the bytes so.
import { crc32, deflateSync } from "node:zlib";

/** The picture's size, its most frequent colours, and for each point the nearest of them. It runs in the browser, which reads PNG. */
async function quantize(picture) {
  const image = new Image();
  image.src = `data:image/png;base64,${picture}`;
  await image.decode();
  const { width, height } = image, canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const { data } = canvas.getImageData(0, 0, width, height), counts = new Map();
  const colourAt = i => data[i] << 16 | data[i + 1] << 8 | data[i + 2];
  for (let i = 0; i < data.length; i += 4) counts.set(colourAt(i), (counts.get(colourAt(i)) ?? 0) + 1);
  const palette = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([colour]) => colour);
  const distance = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + ((a >> 8 & 255) - (b >> 8 & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;
  const nearest = new Map();
  const indexOf = colour => {
    if (!nearest.has(colour)) nearest.set(colour, palette.reduce((best, one, i) => distance(one, colour) < distance(palette[best], colour) ? i : best, 0));
    return nearest.get(colour);
  };
  let points = "";
  for (let i = 0; i < data.length; i += 4) points += String.fromCharCode(indexOf(colourAt(i)));
  return { width, height, palette, points };
}

const chunk = (name, data) => {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]), whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
};

/** @param {import("playwright-core").Page} page any page, which reads the picture @param {string} picture a PNG in base64 */
export async function png(page, picture) {
  const { width, height, palette, points } = await page.evaluate(quantize, picture);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  // Eight bits for each point, which are the number of a colour.
  head.set([8, 3], 8);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) rows.write(points.slice(y * width, (y + 1) * width), y * (width + 1) + 1, "latin1");
  const colours = Buffer.from(palette.flatMap(colour => [colour >> 16, colour >> 8 & 255, colour & 255]));
  return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", head), chunk("PLTE", colours), chunk("IDAT", deflateSync(rows, { level: 9 })), chunk("IEND", Buffer.alloc(0))]);
}
