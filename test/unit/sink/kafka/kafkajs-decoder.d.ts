/** The consumer's side of kafkajs 2.2.4, which the tests read with; it has no types for it. */

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(bytes: Buffer);
  }
}

declare module 'kafkajs/src/protocol/recordBatch/v0/decoder.js' {
  import type Decoder from 'kafkajs/src/protocol/decoder.js';

  export default function decode(decoder: Decoder): Promise<{
    readonly firstOffset: string;
    readonly firstTimestamp: string;
    readonly maxTimestamp: string;
    readonly lastOffsetDelta: number;
    readonly producerId: string;
    readonly producerEpoch: number;
    readonly firstSequence: number;
    readonly records: readonly { readonly key: Buffer; readonly value: Buffer; readonly offset: string }[];
  }>;
}
