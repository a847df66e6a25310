// Levels in colours.

// The colour, RGBA in the bytes of one number, of each of 65536 levels.
// `opacity` is that of every pixel, or with `fades` that of the hottest: then 1 - (1 - t)^4 of it at place t.
export function colorsOf(table, curve, opacity, fades) {
  const colors = new Uint32Array(65536);
  const bytes = new Uint8Array(colors.buffer);
  for (let level = 0; level < 65536; level++) {
    const place = curve(level / 65535);
    const color = 3 * Math.floor(place * 255);
    bytes[4 * level] = table[color];
    bytes[4 * level + 1] = table[color + 1];
    bytes[4 * level + 2] = table[color + 2];
    bytes[4 * level + 3] = Math.round(255 * opacity * (fades ? 1 - (1 - place) ** 4 : 1));
  }
  return colors;
}

export function paint(canvas, levels, colors) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colors[levels[i]];
  context.putImageData(picture, 0, 0);
}

// The colour map itself, from cold to hot.
export function paintBar(canvas, table) {
  const straight = colorsOf(table, (share) => share, 1, false);
  paint(
    canvas,
    Uint16Array.from({ length: 256 }, (_, place) => Math.ceil((place * 65535) / 255)),
    straight,
  );
}
