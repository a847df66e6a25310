// Motion in slices of time and blocks of pixels: the map of any stretch.

import { unpack } from "./data.js";
import { Watched } from "./watched.js";

export class Slices {
  // `count` slices, from 0; the first of them begins at `start`, each is `step` long; without a step all is in one.
  static async from(map) {
    const slices = new Slices();
    const [pairs, numbers, sizes, gaps, counts] = await Promise.all(
      [map.pairs, map.numbers, map.sizes, map.gaps, map.counts].map(unpack),
    );
    Object.assign(slices, { map, pairs, numbers, counts, count: pairs.length, step: map.step });
    slices.start = map.first * (map.step ?? 0);
    slices.ends = new Uint32Array(sizes.length + 1);
    slices.cells = new Uint32Array(gaps.length);
    for (let part = 0, i = 0; part < sizes.length; part++) {
      slices.ends[part + 1] = slices.ends[part] + sizes[part];
      for (let cell = -1; i < slices.ends[part + 1]; i++) slices.cells[i] = cell += gaps[i] + 1;
    }
    slices.watched = await Watched.from(map);
    return slices;
  }

  // The watched pixels of each block.
  get pixels() {
    return this.watched.pixels;
  }

  // The sums of the counts in each block, of the slices first <= number < last.
  sums(first, last) {
    const total = new Float64Array(this.pixels.length);
    for (let part = 0; part < this.numbers.length; part++) {
      if (this.numbers[part] < first || this.numbers[part] >= last) continue;
      for (let i = this.ends[part]; i < this.ends[part + 1]; i++) total[this.cells[i]] += this.counts[i];
    }
    return total;
  }

  pairsIn(first, last) {
    return this.pairs.subarray(first, last).reduce((sum, pairs) => sum + pairs, 0);
  }

  // The heat in [0, 1], its maximum as a share of the pairs, and the sums it is made of.
  heat(first, last) {
    const sums = this.sums(first, last);
    const shares = sums.map((sum, cell) => sum && sum / this.pixels[cell]);
    const highest = shares.reduce((top, share) => Math.max(top, share), 0);
    const field = Float32Array.from(shares, (share) => share && share / highest);
    const pairs = this.pairsIn(first, last);
    return { field, sums, peak: pairs ? highest / pairs : 0 };
  }

  // The highest share of the pairs that any block has in any `width` slices on end.
  highestShare(width) {
    const total = new Float64Array(this.pixels.length);
    const partOf = new Map(Array.from(this.numbers, (number, part) => [number, part]));
    const add = (number, sign) => {
      const part = partOf.get(number);
      if (part === undefined) return;
      for (let i = this.ends[part]; i < this.ends[part + 1]; i++) total[this.cells[i]] += sign * this.counts[i];
    };
    let highest = 0;
    for (let last = 1; last <= this.count; last++) {
      add(last - 1, 1);
      if (last > width) add(last - 1 - width, -1);
      const pairs = last < width ? 0 : this.pairsIn(last - width, last);
      if (pairs)
        for (let cell = 0; cell < total.length; cell++)
          if (total[cell]) highest = Math.max(highest, total[cell] / this.pixels[cell] / pairs);
    }
    return highest;
  }

  // For each slice the share of an area's watched pixels that moved on average; weights say which part of each block's
  // is in it.
  activityIn(weights) {
    const moved = new Float64Array(this.count);
    for (let part = 0; part < this.numbers.length; part++) {
      let sum = 0;
      for (let i = this.ends[part]; i < this.ends[part + 1]; i++) sum += weights[this.cells[i]] * this.counts[i];
      moved[this.numbers[part]] = sum;
    }
    const area = weights.reduce((sum, weight, cell) => sum + weight * this.pixels[cell], 0);
    return moved.map((sum, slice) => (area && this.pairs[slice] ? sum / area / this.pairs[slice] : 0));
  }
}
