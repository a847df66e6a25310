// Polygons over a grid of cells, and over pixels.

const FINE = 4; // parts of a cell along each side that are told apart, each with 256 grades
const FINENESS = 256; // places for a corner, per px

// How much of each cell lies in a polygon, in [0, 1]; the polygon in px, a cell being `wide` x `high` of them.
export function coverage(polygon, { rows, columns }, wide, high) {
  const weights = new Float32Array(rows * columns);
  const points = polygon.map(([x, y]) => [x / wide, y / high]);
  const range = (values, most) => [
    Math.min(Math.max(Math.floor(Math.min(...values)), 0), most),
    Math.max(Math.min(Math.ceil(Math.max(...values)), most), 0),
  ];
  const [left, right] = range(
    points.map((point) => point[0]),
    columns,
  );
  const [top, bottom] = range(
    points.map((point) => point[1]),
    rows,
  );
  if (right <= left || bottom <= top) return weights;
  const canvas = document.createElement("canvas");
  canvas.width = (right - left) * FINE;
  canvas.height = (bottom - top) * FINE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.beginPath();
  for (const [x, y] of points) context.lineTo((x - left) * FINE, (y - top) * FINE);
  context.fill("evenodd");
  const { data, width } = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let pixel = 0; pixel < data.length / 4; pixel++) {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    const cell = (top + Math.floor(y / FINE)) * columns + left + Math.floor(x / FINE);
    weights[cell] += data[4 * pixel + 3] / 255 / FINE ** 2;
  }
  return weights;
}

// The pixels of a picture whose centres lie in a polygon, as gpuheat/polygon.py says: runs [y, from, to] of them.
export function runsIn(polygon, width, height) {
  const corners = polygon.map((corner) => corner.map((px) => Math.floor(px * FINENESS + 0.5)));
  const crossings = Array.from({ length: height }, () => []);
  const rowFrom = (y) => Math.min(Math.max(Math.ceil(y / FINENESS - 0.5), 0), height); // its centre is not above
  corners.forEach((end, i) => {
    const begin = corners.at(i - 1);
    const [upper, lower] = begin[1] <= end[1] ? [begin, end] : [end, begin];
    const [wide, high] = [lower[0] - upper[0], lower[1] - upper[1]];
    for (let y = rowFrom(upper[1]); y < rowFrom(lower[1]); y++) {
      const down = FINENESS * (y + 0.5) - upper[1];
      const column = Math.ceil(((upper[0] - FINENESS / 2) * high + down * wide) / (FINENESS * high));
      crossings[y].push(Math.min(Math.max(column, 0), width)); // the first column whose centre is not left of it
    }
  });
  return crossings.flatMap((columns, y) => {
    columns.sort((a, b) => a - b);
    return Array.from({ length: columns.length / 2 }, (_, run) => [y, columns[2 * run], columns[2 * run + 1]]);
  });
}

// Where the name of a polygon goes: the middle of its corners' range.
export function middle(polygon) {
  const range = (axis) => polygon.map((corner) => corner[axis]);
  return [0, 1].map((axis) => (Math.min(...range(axis)) + Math.max(...range(axis))) / 2);
}
