// What the page was given, from base64 and raw deflate back into arrays.

const TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };

export function readData() {
  return JSON.parse(document.getElementById("data").textContent);
}

export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// The array behind {type, length, data}: the lowest bytes of all elements come first, then the next ones.
export async function unpack({ type, length, data }) {
  const stream = new Blob([bytesOf(data)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = TYPES[type].BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(length * size);
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0; i < length; i++) bytes[i * size + plane] = planes[plane * length + i];
  }
  return new TYPES[type](bytes.buffer);
}
