// The stretch, or a twelfth of the time, moving over the whole: what happened when, in about a quarter of a minute.

const LASTS = 16000; // ms
const SLOWEST = 700; // ms a step
const CALM = 1500; // ms a step where the reader wants less motion: from stretch to stretch

export class Sweep {
  constructor(selection, onChange) {
    Object.assign(this, { selection, onChange, timer: null });
    this.button = document.getElementById("play");
    this.button.addEventListener("click", () => (this.playing ? this.stop() : this.play()));
  }

  get playing() {
    return this.timer !== null;
  }

  play() {
    const { slices, isWhole, first, last } = this.selection;
    const jumps = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.before = [first, last];
    this.width = isWhole ? Math.max(1, Math.round(slices.count / 12)) : last - first;
    this.by = jumps ? this.width : 1;
    this.pause = jumps ? CALM : Math.min(SLOWEST, LASTS / Math.max(1, slices.count - this.width));
    this.scale = slices.highestShare(this.width); // one for all, so that quiet stretches look quiet
    this._label("Stop", true);
    this._step(isWhole || last === slices.count ? 0 : first);
  }

  stop() {
    if (!this.playing) return;
    clearTimeout(this.timer);
    this.timer = null;
    this._label("Play", false);
    this.onChange();
  }

  _step(at) {
    const end = this.selection.slices.count - this.width;
    this.timer = setTimeout(() => (at < end ? this._step(Math.min(at + this.by, end)) : this._end()), this.pause);
    this.selection.set(at, at + this.width);
    this.onChange();
  }

  _end() {
    this.stop();
    this.selection.set(...this.before);
  }

  _label(text, playing) {
    this.button.textContent = text;
    this.button.setAttribute("aria-pressed", String(playing));
  }
}
