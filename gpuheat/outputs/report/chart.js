// The activity over time as a chart, and the moment that was clicked.

import { clock, clockStep, percent, plural, roundStep, whole } from "./words.js";
import { unpack } from "./data.js";

const NEAR = 0.015; // of the chart's width: so near a click takes the highest column

export class Chart {
  static async from(activity, slices, timed) {
    const chart = new Chart();
    const [edges, highest, mean, skipped, when] = await Promise.all(
      [activity.edges, activity.highest, activity.mean, activity.skipped, activity.when].map(unpack),
    );
    Object.assign(chart, { activity, slices, timed, edges, highest, mean, skipped, when, column: null });
    const end = edges[edges.length - 1];
    chart.start = Math.min(Math.max(edges[0], slices.step ? slices.start : edges[0]), end);
    chart.span = end - chart.start || slices.step || 1;
    chart.top = highest.reduce((top, share) => (share > top ? share : top), 0) * 1.1 || 0.011;
    chart.element = document.getElementById("chart");
    chart.marker = document.getElementById("marker");
    chart._draw();
    chart._listen();
    return chart;
  }

  fraction(time) {
    return Math.min(Math.max((time - this.start) / this.span, 0), 1);
  }

  // A time in words; without times it is the number of a pair of frames, from 1.
  moment(time, decimals = this.span < 2 ? 2 : this.span < 60 ? 1 : 0) {
    return this.timed ? clock(time, decimals) : `pair ${whole(Math.max(1, Math.round(time) + 1))}`;
  }

  // An area over the chart's width: a height in [0, 1] between each two times.
  area(times, heights) {
    const x = (time) => (1000 * this.fraction(time)).toFixed(2);
    const steps = Array.from(heights, (height, i) => `V${(100 - 100 * (height || 0)).toFixed(2)}H${x(times[i + 1])}`);
    return `M${x(times[0])} 100${steps.join("")}V100Z`;
  }

  // The moment nearest to a place in [0, 1], or the highest close by.
  markNear(place) {
    const off = Array.from(this.when, (time) => Math.abs(this.fraction(time) - place));
    const near = [...off.keys()].filter((column) => off[column] <= NEAR && this.highest[column] >= 0);
    const higher = (best, column) => (this.highest[column] > this.highest[best] ? column : best);
    const nearer = (best, column) => (off[column] < off[best] ? column : best);
    this.mark(near.length ? near.reduce(higher) : [...off.keys()].reduce(nearer));
  }

  mark(column) {
    this.column = column;
    const share = this.highest[column];
    const moment = this.moment(this.when[column], this.span < 2 ? 2 : 1);
    const text = `${moment}: ${Number.isNaN(share) ? (this.skipped[column] ? "not counted" : "no frames") : `${percent(share)} in motion`}`;
    document.getElementById("moment").textContent = text;
    this.marker.classList.add("on");
    this.marker.style.left = `${100 * this.fraction(this.when[column])}%`;
    this.marker.style.setProperty("--peak", `${100 - (100 * (share || 0)) / this.top}%`);
    this._tell(text);
  }

  unmark() {
    this.column = null;
    document.getElementById("moment").textContent = "";
    this.marker.classList.remove("on");
    this.marker.style.left = "0";
    this._tell("none");
  }

  // Columns higher than all near them, and than a tenth of the highest.
  get peaks() {
    const near = Math.max(1, Math.round(this.highest.length * NEAR));
    return Array.from(this.highest.keys()).filter((column) => {
      const around = this.highest.slice(Math.max(0, column - near), column + near + 1);
      return this.highest[column] > this.top / 11 && around.every((share) => !(share > this.highest[column]));
    });
  }

  _tell(text) {
    this.marker.setAttribute("aria-valuemin", "0");
    this.marker.setAttribute("aria-valuemax", String(this.when.length - 1));
    this.marker.setAttribute("aria-valuenow", String(this.column ?? 0));
    this.marker.setAttribute("aria-valuetext", text);
  }

  _listen() {
    this.unmark();
    this.marker.addEventListener("keydown", (event) => {
      const last = this.when.length - 1;
      const at = this.column ?? 0;
      const peaks = this.peaks;
      const to = {
        ArrowLeft: at - 1,
        ArrowRight: at + 1,
        ArrowDown: at - 1,
        ArrowUp: at + 1,
        PageUp: peaks.findLast((peak) => peak < at) ?? at,
        PageDown: peaks.find((peak) => peak > at || this.column === null) ?? at,
        Home: 0,
        End: last,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.mark(Math.min(Math.max(to, 0), last));
    });
  }

  _draw() {
    const share = (value) => value / this.top;
    const set = (id, heights) => document.getElementById(id).setAttribute("d", this.area(this.edges, heights));
    if (this.activity.pairs > this.mean.length) set("highest", this.highest.map(share));
    set("mean", this.mean.map(share));
    if (this.activity.left_out) set("skipped", this.skipped);
    this._drawClock();
    this._drawLevels();
    this._drawLegend();
  }

  _drawClock() {
    const most = this.element.clientWidth < 500 ? 4 : 9;
    const step = this.timed ? clockStep(this.span / most) : Math.max(1, roundStep(this.span / most));
    const ticks = [];
    for (let k = Math.ceil(this.start / step); k * step <= this.start + this.span * 1.0001; k++) {
      const span = document.createElement("span");
      const decimals = Math.max(0, -Math.floor(Math.log10(step)));
      span.textContent = this.timed ? clock(k * step, decimals) : whole(k * step + 1);
      const place = this.fraction(k * step);
      span.style.left = `${100 * place}%`;
      span.className = place < 0.02 ? "first" : place > 0.98 ? "last" : "";
      ticks.push(span);
    }
    document.getElementById("clock").replaceChildren(...ticks);
  }

  _drawLevels() {
    const step = roundStep(this.top / 2.5);
    const levels = [];
    for (let level = step; level < this.top; level += step) {
      const line = document.createElement("span");
      const text = document.createElement("b");
      text.textContent = percent(level);
      line.append(text);
      line.style.bottom = `calc(${(100 * level) / this.top}% - 15px)`;
      levels.push(line);
    }
    document.getElementById("levels").replaceChildren(...levels);
  }

  _drawLegend() {
    const { pairs, left_out: leftOut, average } = this.activity;
    const parts = [];
    if (pairs > this.mean.length) parts.push(["of-highest", "highest pair"], ["of-mean", "mean"]);
    if (leftOut) parts.push(["of-skipped", `${whole(leftOut)} of ${plural(pairs, "pair")} not counted`]);
    const nodes = parts.flatMap(([name, text]) => {
      const square = document.createElement("i");
      square.className = name;
      return [square, text];
    });
    document.getElementById("legend").replaceChildren(...nodes);
    const best = this.highest.reduce((top, value, i) => (value > (this.highest[top] ?? -1) ? i : top), -1);
    let facts = "no pair of frames was counted";
    if (average === 0) facts = "no motion";
    else if (average) {
      facts = `highest ${percent(this.highest[best])} at ${this.moment(this.when[best])}, mean ${percent(average)}`;
    }
    document.getElementById("time-facts").textContent = facts;
  }
}
