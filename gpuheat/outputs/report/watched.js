// Which pixels are watched: at a place, in each block of the map, and in a polygon.

import { unpack } from "./data.js";
import { runsIn } from "./polygons.js";

export class Watched {
  // Where all are, nothing is given; else how many are in each square, the smallest there was room for.
  static async from({ rows, columns, block, width, height, watched: given }) {
    const watched = new Watched();
    Object.assign(watched, { blocks: rows * columns, columns, block, width, height, shares: null });
    if (given) {
      const counts = await unpack(given);
      const sizes = given.side === 1 ? null : pixelsOf(width, height, given.side);
      Object.assign(watched, { side: given.side, across: Math.ceil(width / given.side) });
      watched.shares = sizes ? Float64Array.from(counts, (count, square) => count / sizes[square]) : counts;
    }
    const everyRow = Array.from({ length: height }, (_, y) => [y, 0, width]);
    watched.pixels = given ? watched._inBlocks(everyRow) : pixelsOf(width, height, block);
    return watched;
  }

  get isAll() {
    return this.shares === null;
  }

  // How much of a pixel is watched: all of it or nothing, or the mean of its square.
  at(x, y) {
    return this._between(x, x + 1, y);
  }

  // What part of the watched pixels of each block lies in a polygon, whose corners are px of the map.
  partsIn(polygon) {
    const inside = this._inBlocks(runsIn(polygon, this.width, this.height));
    return inside.map((pixels, block) => pixels && pixels / this.pixels[block]);
  }

  // How many pixels of each block are watched and in runs [y, from, to] of pixels side by side.
  _inBlocks(runs) {
    const inside = new Float64Array(this.blocks);
    for (const [y, from, to] of runs) {
      const row = Math.floor(y / this.block) * this.columns;
      for (let x = from; x < to; ) {
        const column = Math.floor(x / this.block);
        const end = Math.min((column + 1) * this.block, to);
        inside[row + column] += this._between(x, end, y);
        x = end;
      }
    }
    return inside;
  }

  // How many pixels are watched of some side by side.
  _between(from, to, y) {
    if (this.isAll) return to - from;
    const row = Math.floor(y / this.side) * this.across;
    let sum = 0;
    for (let x = from; x < to; x++) sum += this.shares[row + Math.floor(x / this.side)];
    return sum;
  }
}

// How many pixels the squares have that a map is cut into; those at the right and the lower border are what is left.
function pixelsOf(width, height, side) {
  const columns = Math.ceil(width / side);
  const pixels = new Float64Array(columns * Math.ceil(height / side));
  return pixels.map((_, square) => {
    const [row, column] = [Math.floor(square / columns), square % columns];
    return Math.min(side, height - row * side) * Math.min(side, width - column * side);
  });
}
