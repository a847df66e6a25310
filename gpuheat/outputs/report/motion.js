// The page of a motion heat map: the stretch of time, its map, and the zones' activity.

import { Chart } from "./chart.js";
import { linearTaps } from "./enlarge.js";
import { Selection } from "./selection.js";
import { Slices } from "./slices.js";
import { Sweep } from "./sweep.js";
import { percent, whole } from "./words.js";

const NOT_WATCHED = "not watched";

export class MotionView {
  static async from(data, stage, onChange) {
    const view = new MotionView();
    const slices = await Slices.from(data.map);
    const { rows, columns, block, width, height } = data.map;
    Object.assign(view, { data, slices, rows, columns, unit: " %" });
    view.pixel = { wide: data.picture.width / width, high: data.picture.height / height };
    view.taps = [
      linearTaps(columns, stage.heat.width, width / stage.heat.width / block),
      linearTaps(rows, stage.heat.height, height / stage.heat.height / block),
    ];
    view.words = slices.watched.isAll
      ? { whole: "Picture", zone: "the zone" }
      : { whole: "Watched pixels", zone: "its watched pixels" };
    if (data.activity) {
      document.getElementById("time-title").textContent = `${view.words.whole} in motion over time`;
      document.getElementById("time").hidden = false;
      view.chart = await Chart.from(data.activity, slices, data.timed);
      view.selection = new Selection(view.chart, slices, onChange);
      view.sweep = new Sweep(view.selection, onChange);
      for (const kind of ["pointerdown", "keydown"])
        view.chart.element.addEventListener(kind, () => view.sweep.stop(), true);
    }
    return view;
  }

  get playing() {
    return this.sweep?.playing ?? false;
  }

  get title() {
    return this.now.peak ? "Share of the frame pairs in which the place moved" : "Nothing moved";
  }

  get spoken() {
    return this.selection?.text ?? "";
  }

  // What a change of the file or of the slices' length does not make wrong: times.
  get state() {
    if (!this.selection || this.selection.isWhole || !this.slices.step) return null;
    return [this.selection.first, this.selection.last].map((slice) => this.slices.start + slice * this.slices.step);
  }

  set state(times) {
    if (!times || !this.slices.step || !this.selection) return;
    this.selection.set(...times.map((time) => Math.round((time - this.slices.start) / this.slices.step)));
  }

  reset() {
    this.sweep?.stop();
    this.chart?.unmark();
    this.selection?.set(0, this.slices.count);
  }

  heat() {
    const { first, last } = this.selection ?? { first: 0, last: this.slices.count };
    this.now = this.slices.heat(first, last);
    if (!this.playing || this.sweep.scale === 0) return this.now;
    const factor = this.now.peak / this.sweep.scale;
    return { field: this.now.field.map((share) => share * factor), peak: this.sweep.scale };
  }

  // What `peak` is in the unit of the colour bar.
  inUnit(peak) {
    return 100 * peak;
  }

  read(x, y) {
    const place = [Math.floor(x / this.pixel.wide), Math.floor(y / this.pixel.high)];
    if (!this.slices.watched.at(...place)) return NOT_WATCHED;
    const [column, row] = place.map((px) => Math.floor(px / this.data.map.block));
    const cell = row * this.columns + column;
    return `in motion in ${percent(this.now.field[cell] * this.now.peak)} of the frame pairs`;
  }

  measure(polygon) {
    const { wide, high } = this.pixel;
    const weights = this.slices.watched.partsIn(polygon.map(([x, y]) => [x / wide, y / high]));
    return { weights, watched: weights.some((part) => part > 0), activity: this.slices.activityIn(weights) };
  }

  zoneText({ measure }) {
    if (!measure.watched) return NOT_WATCHED;
    const inside = this.now.sums.reduce((sum, value, cell) => sum + value * measure.weights[cell], 0);
    const all = this.now.sums.reduce((sum, value) => sum + value, 0);
    const mean = percent(this._mean(measure.activity));
    return `${percent(all ? inside / all : 0)} of the motion; ${mean} of ${this.words.zone} in motion on average`;
  }

  // The zones' activity, each in a line of its own below the chart.
  showZones(zones) {
    if (!this.chart || !this.slices.step) return;
    const { start, step, count } = this.slices;
    const times = Array.from({ length: count + 1 }, (_, slice) => start + slice * step);
    const lines = zones.map(({ name, measure: { activity, watched } }) => {
      const line = document.getElementById("zone-line").content.firstElementChild.cloneNode(true);
      const highest = activity.reduce((top, share) => Math.max(top, share), 0);
      const heights = activity.map((share) => share / (highest || 1));
      line.querySelector("b").textContent = name;
      const text = highest ? `highest ${percent(highest)} of ${this.words.zone}` : "no motion";
      line.querySelector("span").textContent = watched ? text : NOT_WATCHED;
      line.querySelector("path").setAttribute("d", this.chart.area(times, heights));
      return line;
    });
    document.getElementById("zone-lines").replaceChildren(...lines);
  }

  table(zones) {
    const moved = this.slices.activityIn(new Float64Array(this.slices.pixels.length).fill(1));
    const mean = `${this.words.whole.toLowerCase()} in motion, mean`;
    const head = ["from", "to", "frame pairs", mean, ...zones.map((zone) => `${zone.name}, mean`)];
    const rows = Array.from(this.slices.pairs, (pairs, slice) => [
      this.selection ? this.selection.time(slice) : "",
      this.selection ? this.selection.time(slice + 1, true) : "",
      whole(pairs),
      percent(moved[slice]),
      ...zones.map(({ measure }) => (measure.watched ? percent(measure.activity[slice]) : NOT_WATCHED)),
    ]);
    return [head, ...rows];
  }

  // The mean over the pairs of the stretch.
  _mean(activity) {
    const { first, last } = this.selection ?? { first: 0, last: this.slices.count };
    const pairs = this.slices.pairsIn(first, last);
    let sum = 0;
    for (let slice = first; slice < last; slice++) sum += activity[slice] * this.slices.pairs[slice];
    return pairs ? sum / pairs : 0;
  }
}
