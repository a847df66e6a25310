// The page of a fixation heat map: which recordings, what is added up, how much it is blurred.

import { Choice } from "./controls.js";
import { lanczosTaps } from "./enlarge.js";
import { coverage } from "./polygons.js";
import { Recordings } from "./recordings.js";
import { digits, percent, plural } from "./words.js";

export class FixationView {
  static async from(data, stage, onChange) {
    const view = new FixationView();
    const recordings = await Recordings.from(data.map);
    const { rows, columns } = data.map;
    Object.assign(view, { data, stage, recordings, rows, columns, playing: false, points: data.map.points });
    view.cell = { wide: data.picture.width / columns, high: data.picture.height / rows };
    view.taps = [lanczosTaps(columns, stage.heat.width), lanczosTaps(rows, stage.heat.height)];
    view.choice = new Choice(recordings, data.map.settings, onChange);
    return view;
  }

  get state() {
    return this.choice.state;
  }

  set state(state) {
    this.choice.state = state;
  }

  get spoken() {
    return `${plural(this.choice.chosen.length, "recording")}, ${this._amount(this._total())}`;
  }

  reset() {
    this.choice.reset();
  }

  heat() {
    const { weight, scale, equal } = this.choice.state;
    const chosen = this.choice.chosen;
    this.now = this.recordings.heat(this.recordings.sums(chosen, weight, equal), scale);
    const weighed = chosen.filter((one) => this.recordings.total(one, weight) > 0).length;
    this.now.each = equal ? 100 / Math.max(1, weighed) : 1; // from the sums to the unit
    const amount = weight === "duration" ? "Seconds of fixation" : this._points();
    const what = equal ? "Share of a recording, on average," : amount;
    const bin = `${digits(this.cell.wide)} \u00d7 ${digits(this.cell.high)} px${scale ? ", blurred" : ""}`;
    const nothing = chosen.length ? "Nobody looked" : "No recording is ticked";
    this.title = this.now.peak ? `${what} per bin of ${bin}` : nothing;
    this.unit = equal ? " %" : weight === "duration" ? " s" : "";
    return this.now;
  }

  inUnit(peak) {
    return peak * this.now.each;
  }

  read(x, y, levels) {
    const place = this.stage.onCanvas(x, y);
    const share = levels[place.y * this.stage.heat.width + place.x] / 65535;
    return `${digits(this.inUnit(share * this.now.peak))}${this.unit} per bin, ${percent(share)} of the highest`;
  }

  measure(polygon) {
    return { weights: coverage(polygon, this, this.cell.wide, this.cell.high) };
  }

  zoneText({ measure }) {
    const inside = this.now.sums.reduce((sum, value, cell) => sum + value * measure.weights[cell], 0);
    const total = this._total();
    const share = `${percent(total ? inside / total : 0)} of all`;
    return this.choice.state.equal ? share : `${this._amount(inside)}, ${share}`;
  }

  showZones() {}

  table(zones) {
    const { recordings } = this;
    const on = new Set(this.choice.chosen);
    const heads = { count: this.points, duration: "duration" };
    const known = ["count", "duration"].filter((weight) => recordings.known.includes(weight));
    const head = ["recording", ...known.map((weight) => heads[weight]), "shown", ...zones.map((zone) => zone.name)];
    const rows = recordings.names.map((name, one) => {
      const sums = recordings.sums([one], this.choice.state.weight, false);
      const inside = ({ measure }) => sums.reduce((sum, value, cell) => sum + value * measure.weights[cell], 0);
      return [
        name,
        ...known.map((weight) => recordings.amount(one, weight)),
        on.has(one) ? "yes" : "no",
        ...zones.map((zone) => this._amount(inside(zone))),
      ];
    });
    return [head, ...rows];
  }

  _total() {
    return this.now.sums.reduce((sum, value) => sum + value, 0);
  }

  _amount(value) {
    return this.choice.state.weight === "duration" ? `${digits(value)} s` : `${digits(value)} ${this.points}`;
  }

  _points() {
    return this.points[0].toUpperCase() + this.points.slice(1);
  }
}
