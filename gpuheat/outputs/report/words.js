// Numbers and times as people read them.

// Three significant digits, without an exponent where a number is of everyday size.
export function digits(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toPrecision(3);
  return size >= 100 ? whole(Math.round(value)) : String(Number(value.toPrecision(3)));
}

// A whole number with its thousands apart.
export function whole(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function percent(share) {
  return `${digits(100 * share)} %`;
}

export function plural(count, noun) {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}

// m:ss or h:mm:ss, with some digits of the second.
export function clock(seconds, decimals = 0) {
  const unit = 10 ** decimals;
  const ticks = Math.round(Math.abs(seconds) * unit);
  const passed = Math.floor(ticks / unit);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(passed / 3600), Math.floor(passed / 60) % 60];
  const text = hours ? `${hours}:${two(minutes)}:${two(passed % 60)}` : `${minutes}:${two(passed % 60)}`;
  const fraction = decimals ? `.${String(ticks % unit).padStart(decimals, "0")}` : "";
  return `${seconds < 0 ? "-" : ""}${text}${fraction}`;
}

// The smallest of 1, 2, 5, 10, 20 ... (times any power of ten) that is at least so much.
export function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least * (1 - 1e-9));
}

// The same for times in s: round on a clock.
export function clockStep(least) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];
  if (least < 1) return roundStep(least);
  return steps.find((step) => step >= least) ?? 86400 * Math.ceil(least / 86400);
}
