/**
 * Lets the requests of kafkajs 2.2.4 grow by what they need. A produce request is copied three times, each time into
 * memory of the next power of two, filled with zeros. V8 begins a mark-compact for each few megabytes of such memory.
 */
import Encoder from 'kafkajs/src/protocol/encoder.js';

Encoder.prototype.ensureAvailable = function (length) {
  const needed = this.offset + length;
  if (needed <= this.buf.length) return;
  // Twice as much where many small values follow one another. What lies behind `offset` is never sent.
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.buf.length));
  this.buf.copy(larger, 0, 0, this.offset);
  this.buf = larger;
};
