// A map on its grid at the size of the picture: linear for motion, Lanczos over 8 x 8 for fixations, as OpenCV does.

// For each of `to` pixels the places in a row of `from` cells that it is made of, and their weights. A pixel is
// `scale` cells wide.
export function linearTaps(from, to, scale) {
  return taps(from, to, scale, 2, 0, (share) => [1 - share, share]);
}

export function lanczosTaps(from, to) {
  return taps(from, to, from / to, 8, 3, lanczosWeights);
}

function taps(from, to, scale, count, before, weightsAt) {
  const places = new Int32Array(to * count);
  const weights = new Float32Array(to * count);
  for (let pixel = 0; pixel < to; pixel++) {
    const centre = (pixel + 0.5) * scale - 0.5;
    const first = Math.floor(centre);
    const share = weightsAt(centre - first);
    for (let k = 0; k < count; k++) {
      places[pixel * count + k] = Math.min(Math.max(first - before + k, 0), from - 1);
      weights[pixel * count + k] = share[k];
    }
  }
  return { to, count, places, weights };
}

function lanczosWeights(share) {
  const sinc = (x) => (Math.abs(x) < 1e-6 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
  const weights = Array.from({ length: 8 }, (_, k) => sinc(share + 3 - k) * sinc((share + 3 - k) / 4));
  const total = weights.reduce((sum, weight) => sum + weight);
  return weights.map((weight) => weight / total);
}

// A field of `rows` rows in [0, 1] as levels from 0 to 65535, row by row.
export function enlarge(field, rows, across, down) {
  const columns = field.length / rows;
  const width = across.to;
  const wide = new Float32Array(rows * width);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < width; x++) {
      let value = 0;
      for (let k = x * across.count; k < (x + 1) * across.count; k++) {
        value += across.weights[k] * field[y * columns + across.places[k]];
      }
      wide[y * width + x] = value;
    }
  }
  const levels = new Uint16Array(down.to * width);
  const row = new Float32Array(width);
  for (let y = 0; y < down.to; y++) {
    row.fill(0);
    for (let k = y * down.count; k < (y + 1) * down.count; k++) {
      const weight = down.weights[k];
      const start = down.places[k] * width;
      for (let x = 0; x < width; x++) row[x] += weight * wide[start + x];
    }
    for (let x = 0; x < width; x++) {
      levels[y * width + x] = row[x] <= 0 ? 0 : row[x] >= 1 ? 65535 : row[x] * 65535 + 0.5;
    }
  }
  return levels;
}
