// The stretch of time that is shown: dragged over the chart, moved, stretched at its edges, or set by keys.

import { clock, digits, plural } from "./words.js";

const CLICK = 4; // px: a press that moves less is a click

export class Selection {
  constructor(chart, slices, onChange) {
    Object.assign(this, { chart, slices, onChange, first: 0, last: slices.count });
    for (const id of ["from", "to", "window", "clear"]) this[id] = document.getElementById(id);
    if (slices.count < 2) {
      for (const id of ["from", "to", "clear"]) this[id].hidden = true;
      document.getElementById("play").hidden = true;
      chart.element.classList.add("fixed");
    }
    chart.element.addEventListener("pointerdown", (event) => this._press(event));
    this.clear.addEventListener("click", () => this.set(0, slices.count));
    for (const id of ["from", "to", "window"]) this[id].addEventListener("keydown", (event) => this._key(event, id));
    this._show();
  }

  get isWhole() {
    return this.first === 0 && this.last === this.slices.count;
  }

  // Show the slices first <= number < last.
  set(first, last) {
    first = Math.min(Math.max(first, 0), this.slices.count - 1);
    last = Math.min(Math.max(last, first + 1), this.slices.count);
    if (first === this.first && last === this.last) return;
    Object.assign(this, { first, last });
    this._show();
    this.onChange();
  }

  // In words: from when to when, which slices, how many pairs.
  get text() {
    const { slices, first, last } = this;
    const pairs = plural(slices.pairsIn(first, last), "frame pair");
    if (!slices.step || slices.count < 2) return `Whole time, ${pairs}`;
    if (this.isWhole) {
      const seconds = slices.step < 120 ? `${digits(slices.step)} s` : clock(slices.step);
      const step = this.chart.timed ? seconds : plural(slices.step, "pair");
      return `Whole time, ${slices.count} slices of ${step}, ${pairs}. Drag over the chart to see a stretch.`;
    }
    const which = last - first === 1 ? `slice ${first + 1}` : `slices ${first + 1}\u2013${last}`;
    return `${this.time(first)}\u2013${this.time(last, true)}, ${which} of ${slices.count}, ${pairs}`;
  }

  // When a slice begins; `end`: as the end of the one before it, which is a pair where there are no times.
  time(slice, end = false) {
    const time = this.slices.start + slice * this.slices.step - (end && !this.chart.timed ? 1 : 0);
    const { start, span } = this.chart;
    const decimals = this.slices.step % 1 ? 1 : 0;
    return this.chart.moment(Math.min(Math.max(time, start), start + span), decimals);
  }

  _fraction(slice) {
    return this.slices.step
      ? this.chart.fraction(this.slices.start + slice * this.slices.step)
      : slice / this.slices.count;
  }

  _sliceAt(place) {
    return (this.chart.start + place * this.chart.span - this.slices.start) / this.slices.step;
  }

  _show() {
    const [left, right] = [this._fraction(this.first), this.last === this.slices.count ? 1 : this._fraction(this.last)];
    const { style } = document.getElementById("time");
    style.setProperty("--from", `${100 * left}%`);
    style.setProperty("--to", `${100 * right}%`);
    this.window.hidden = this.isWhole;
    this.clear.disabled = this.isWhole;
    document.getElementById("selection").textContent = this.text;
    this._tell(this.from, 0, this.last - 1, this.first, this.time(this.first));
    this._tell(this.to, this.first + 1, this.slices.count, this.last, this.time(this.last, true));
    const width = this.last - this.first;
    this._tell(
      this.window,
      0,
      this.slices.count - width,
      this.first,
      `${this.time(this.first)} to ${this.time(this.last, true)}`,
    );
  }

  _tell(element, least, most, now, text) {
    element.setAttribute("aria-valuemin", String(least));
    element.setAttribute("aria-valuemax", String(most));
    element.setAttribute("aria-valuenow", String(now));
    element.setAttribute("aria-valuetext", text);
  }

  _press(event) {
    if (event.button !== 0) return;
    const box = this.chart.element.getBoundingClientRect();
    const place = (moved) => Math.min(Math.max((moved.clientX - box.left) / box.width, 0), 1);
    const [began, first, last] = [event.clientX, this.first, this.last];
    const grip = event.target.id;
    const start = this._sliceAt(place(event));
    let dragged = false;
    const move = (moved) => {
      dragged ||= Math.abs(moved.clientX - began) >= CLICK;
      if (!dragged || this.slices.count < 2) return;
      const at = this._sliceAt(place(moved));
      if (grip === "from") this.set(Math.min(Math.round(at), last - 1), last);
      else if (grip === "to") this.set(first, Math.max(Math.round(at), first + 1));
      else if (grip === "window") this._moveTo(first + Math.round(at - start), last - first);
      else this.set(Math.floor(Math.min(start, at)), Math.ceil(Math.max(start, at)));
    };
    const done = new AbortController();
    const end = (moved) => {
      done.abort();
      if (!dragged && moved.type === "pointerup") this.chart.markNear(place(moved));
    };
    this.chart.element.setPointerCapture(event.pointerId);
    for (const [name, handler] of [
      ["pointermove", move],
      ["pointerup", end],
      ["pointercancel", end],
    ]) {
      this.chart.element.addEventListener(name, handler, { signal: done.signal });
    }
  }

  _moveTo(first, width) {
    const from = Math.min(Math.max(first, 0), this.slices.count - width);
    this.set(from, from + width);
  }

  _key(event, id) {
    const page = Math.max(1, Math.round(this.slices.count / 10));
    const by = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageUp: page,
      PageDown: -page,
      Home: -Infinity,
      End: Infinity,
    }[event.key];
    if (event.key === "Escape") this.set(0, this.slices.count);
    else if (by === undefined) return;
    else if (id === "from") this.set(Math.min(this.first + by, this.last - 1), this.last);
    else if (id === "to") this.set(this.first, Math.max(this.last + by, this.first + 1));
    else this._moveTo(this.first + by, this.last - this.first);
    event.preventDefault();
  }
}
