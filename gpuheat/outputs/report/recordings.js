// Fixations in bins, recording by recording: the map of any choice of them.

import { unpack } from "./data.js";
import { whole } from "./words.js";

export class Recordings {
  static async from(map) {
    const recordings = new Recordings();
    const [sizes, gaps, counts] = await Promise.all([map.sizes, map.gaps, map.counts].map(unpack));
    const durations = map.durations ? await unpack(map.durations) : null;
    Object.assign(recordings, {
      map,
      names: map.names,
      ids: map.ids,
      known: map.settings.weights,
      weights: { count: counts, duration: durations },
    });
    recordings.ends = new Uint32Array(sizes.length + 1);
    recordings.cells = new Uint32Array(gaps.length);
    for (let one = 0, i = 0; one < sizes.length; one++) {
      recordings.ends[one + 1] = recordings.ends[one] + sizes[one];
      for (let cell = -1; i < recordings.ends[one + 1]; i++) recordings.cells[i] = cell += gaps[i] + 1;
    }
    return recordings;
  }

  // A recording's sum: fixations, or s of them.
  total(one, weight) {
    const own = this.weights[weight].subarray(this.ends[one], this.ends[one + 1]);
    return this._unit(weight) * own.reduce((sum, value) => sum + value, 0);
  }

  // The same in words.
  amount(one, weight) {
    const total = this.total(one, weight);
    return weight === "duration" ? `${total.toFixed(1)} s` : `${whole(total)} ${this.map.points}`;
  }

  // The sums in each bin, fixations or s; with `equal` the shares of every recording's total.
  sums(chosen, weight, equal) {
    const values = this.weights[weight];
    const unit = this._unit(weight);
    const sums = new Float64Array(this.map.rows * this.map.columns);
    for (const one of chosen) {
      const each = equal ? unit / (this.total(one, weight) || 1) : unit;
      for (let i = this.ends[one]; i < this.ends[one + 1]; i++) sums[this.cells[i]] += values[i] * each;
    }
    return sums;
  }

  // What a value stands for: fixations, or s.
  _unit(weight) {
    return weight === "duration" ? this.map.unit / 1e6 : 1;
  }

  // The heat in [0, 1] and its maximum, blurred with `scale` hundredths of the wider side.
  heat(sums, scale) {
    const { rows, columns } = this.map;
    const field = blur(Float32Array.from(sums), rows, columns, 0.01 * scale * Math.max(rows, columns));
    const peak = field.reduce((highest, value) => Math.max(highest, value), 0);
    return { field: peak > 0 ? field.map((value) => value / peak) : field, sums, peak };
  }
}

// Gaussian, with the radius and the weights of gpuheat/backends/gaussian.py, mirrored at the border.
function blur(image, rows, columns, sigma) {
  if (sigma === 0) return image;
  const radius = (Math.round(8 * sigma + 1) | 1) >> 1;
  const bell = Array.from({ length: 2 * radius + 1 }, (_, k) => Math.exp(-0.5 * ((k - radius) / sigma) ** 2));
  const total = bell.reduce((sum, weight) => sum + weight);
  const weights = Float32Array.from(bell, (weight) => weight / total);
  return filter(filter(image, rows, columns, weights), columns, rows, weights);
}

// Each row filtered, and the result turned over its diagonal: twice is once along each side.
function filter(image, rows, columns, weights) {
  const radius = weights.length >> 1;
  const places = Int32Array.from({ length: columns + 2 * radius }, (_, place) => mirrored(place - radius, columns));
  const result = new Float32Array(image.length);
  for (let y = 0; y < rows; y++) {
    const row = image.subarray(y * columns, (y + 1) * columns);
    if (row.every((value) => value === 0)) continue;
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * row[places[x + k]];
      result[x * rows + y] = sum;
    }
  }
  return result;
}

// The place inside 0 ... size - 1 that one outside shows, the ends not repeated.
function mirrored(place, size) {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const within = ((place % period) + period) % period;
  return within < size ? within : period - within;
}
