// The colour bar: the colours from cold to hot, and the values they stand for.

import { paintBar } from "./paint.js";
import { digits, roundStep } from "./words.js";

const APART = 64; // px between two labels, at least

// `peak` is the value of the maximum, in `unit`, and `title` says of what.
export function showScale(title, table, curve, saturation, peak, unit) {
  document.getElementById("scale-title").textContent = title;
  paintBar(document.getElementById("bar"), table);
  const ends = [{ place: 0, text: `0${unit}` }];
  ends.push({
    place: 1,
    text: (saturation < 0.995 ? `${digits(saturation * peak)} or more, up to ` : "") + digits(peak) + unit,
  });
  const ticks = peak > 0 ? [...ends, ...between(curve, saturation, peak, unit)] : ends.slice(0, 1);
  document.getElementById("bar-ticks").replaceChildren(...ticks.map(label));
}

function between(curve, saturation, peak, unit) {
  const step = roundStep((saturation * peak) / 4);
  const values = Array.from({ length: 4 }, (_, k) => (k + 1) * step);
  const lifted = curve(step / peak) > 0.4; // by the tone, so that there is room below
  if (lifted) values.push(...[0.5, 1.5, 0.2, 0.1, 0.05, 0.02].map((part) => part * step));
  const ticks = [];
  const apart = Math.max(0.11, APART / document.getElementById("bar").clientWidth);
  const end = 1 - (saturation < 0.995 ? 2.5 : 1) * apart;
  for (const value of values) {
    const place = curve(value / peak);
    if (
      value < saturation * peak &&
      place > apart &&
      place < end &&
      ticks.every((tick) => Math.abs(tick.place - place) > apart)
    ) {
      ticks.push({ place, text: digits(value) + unit });
    }
  }
  return ticks;
}

function label({ place, text }) {
  const span = document.createElement("span");
  span.textContent = text;
  span.style.left = `${100 * place}%`;
  span.className = place === 0 ? "first" : place === 1 ? "last" : "";
  return span;
}
