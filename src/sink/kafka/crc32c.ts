/** CRC-32C (Castagnoli, RFC 3720 §12.1), which zlib does not have: eight bytes per step with eight tables. */

const POLYNOMIAL = 0x82f63b78;

/** `TABLES[k * 256 + b]`: the checksum of byte `b` followed by `k` zero bytes. */
const TABLES = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  TABLES[byte] = crc;
}
for (let index = 256; index < TABLES.length; index++) {
  const previous = TABLES[index - 256] ?? 0;
  TABLES[index] = (previous >>> 8) ^ at(previous & 0xff);
}

function at(index: number): number {
  return TABLES[index] as number;
}

/** The checksum of the bytes from `start` to the end, unsigned. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1;
  let position = start;
  for (const whole = end - 7; position < whole; position += 8) {
    crc ^=
      (bytes[position] as number) |
      ((bytes[position + 1] as number) << 8) |
      ((bytes[position + 2] as number) << 16) |
      ((bytes[position + 3] as number) << 24);
    crc =
      at(0x700 + (crc & 0xff)) ^
      at(0x600 + ((crc >>> 8) & 0xff)) ^
      at(0x500 + ((crc >>> 16) & 0xff)) ^
      at(0x400 + (crc >>> 24)) ^
      at(0x300 + (bytes[position + 4] as number)) ^
      at(0x200 + (bytes[position + 5] as number)) ^
      at(0x100 + (bytes[position + 6] as number)) ^
      at(bytes[position + 7] as number);
  }
  for (; position < end; position++) crc = (crc >>> 8) ^ at((crc ^ (bytes[position] as number)) & 0xff);
  return ~crc >>> 0;
}
