/**
 * SHA-1 (FIPS 180-4, section 6.1) of a short message, for a name: nothing here has to resist an attacker.
 *
 * `node:crypto` has it too, but to load that takes 2 MB of resident memory, which an agent without TLS does not need. It would
 * take 0.3 µs for a message, and this takes 0.4 µs.
 */

const BLOCK_BYTES = 64;
/** A block holds the message, a byte that ends it, and its length in 8 bytes. */
export const MOST_BYTES = BLOCK_BYTES - 9;

/** The initial hash value (section 5.3.1). */
const H0 = 0x67452301;
const H1 = 0xefcdab89 | 0;
const H2 = 0x98badcfe | 0;
const H3 = 0x10325476;
const H4 = 0xc3d2e1f0 | 0;

const block = Buffer.alloc(BLOCK_BYTES);
const words = new Int32Array(80);
const digest = Buffer.alloc(20);

/** The digest of a message of up to 55 bytes: 20 bytes, which are valid until the next call. Throws where it is longer. */
export function sha1(message: Uint8Array): Buffer {
  const { length } = message;
  if (length > MOST_BYTES) throw new RangeError(`a message of ${length} bytes does not fit into a block`);
  block.set(message);
  block[length] = 0x80;
  block.fill(0, length + 1);
  block.writeUInt16BE(length * 8, BLOCK_BYTES - 2);
  schedule();

  let a = H0;
  let b = H1;
  let c = H2;
  let d = H3;
  let e = H4;
  for (let t = 0; t < 80; t++) {
    const next = (((a << 5) | (a >>> 27)) + mix(t, b, c, d) + e + (words[t] as number)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  digest.writeInt32BE((a + H0) | 0, 0);
  digest.writeInt32BE((b + H1) | 0, 4);
  digest.writeInt32BE((c + H2) | 0, 8);
  digest.writeInt32BE((d + H3) | 0, 12);
  digest.writeInt32BE((e + H4) | 0, 16);
  return digest;
}

/** The message schedule of the block (section 6.1.2, step 1). */
function schedule(): void {
  for (let t = 0; t < 16; t++) words[t] = block.readInt32BE(t * 4);
  for (let t = 16; t < 80; t++) {
    const word =
      (words[t - 3] as number) ^
      (words[t - 8] as number) ^
      (words[t - 14] as number) ^
      (words[t - 16] as number);
    words[t] = (word << 1) | (word >>> 31);
  }
}

/** f(t) with the constant K(t) (sections 4.1.1 and 4.2.1). */
function mix(t: number, b: number, c: number, d: number): number {
  if (t < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (t < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}
