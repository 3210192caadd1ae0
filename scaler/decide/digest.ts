/** FNV-1a over the JSON text, two lanes of 32 bits: a fingerprint for replay, not for security. */
export function digest(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul(b ^ (c + i), 0x01000193);
  }
  return (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0");
}
