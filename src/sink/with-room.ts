/** Memory that is used again, and grows with what it has to hold. */

/** Gives the buffer, or a larger one with its content up to `end`. */
export function withRoom(buffer: Buffer, end: number, room: number): Buffer {
  if (end + room <= buffer.length) return buffer;
  const larger = Buffer.allocUnsafeSlow(Math.max(64 * 1024, 2 * buffer.length, end + room));
  buffer.copy(larger, 0, 0, end);
  return larger;
}
