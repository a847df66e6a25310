// Tone: which place on the colour map a share of the maximum gets; as gpuheat/outputs/tone.py says.

export function toneCurve(kind, saturation) {
  if (kind === "sqrt") return Math.sqrt;
  if (kind === "log") return (share) => Math.min(1, Math.log1p(100 * share) / Math.log1p(100));
  if (kind === "percentile") return (share) => Math.min(1, share / saturation);
  return (share) => share;
}

// The percentile of the levels above 0, as a share of 65535: linear between neighbours, as NumPy's.
export function percentileOf(levels, percentile) {
  const histogram = new Uint32Array(65536);
  for (let i = 0; i < levels.length; i++) histogram[levels[i]]++;
  const positive = levels.length - histogram[0];
  if (!positive) return 1;
  const place = ((positive - 1) * percentile) / 100;
  const low = levelAt(histogram, Math.floor(place));
  const high = levelAt(histogram, Math.ceil(place));
  return (low + (high - low) * (place - Math.floor(place))) / 65535;
}

function levelAt(histogram, place) {
  let level = 0;
  for (let passed = 0; passed <= place; passed += histogram[level]) level++;
  return level;
}
