/** Milliseconds since 1970, with fractions: comparable between processes of one machine, and steady within one. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}
