import { describe, expect, it } from 'vitest';
import { parseEventFormat } from '../../../../src/source/decode/format.ts';
import { compileReader } from '../../../../src/source/decode/reader.ts';
import { ABSENT, createRecord, type TcpRecord } from '../../../../src/source/decode/record.ts';
import type { ProbeName } from '../../../../src/source/probes.ts';
import { readRecordings } from '../recorded.ts';

describe('an event of tcp_trace.ko', () => {
  const recorded = readRecordings().find(({ name }) => name === 'module-6.1.ktcrec');
  const formatOf = (probe: ProbeName) => {
    const text = recorded?.events.find((event) => event.probe === probe)?.format ?? '';
    const format = parseEventFormat(text);
    if (format === null) throw new Error(`the recording has no format of ${probe}`);
    return format;
  };

  /** A record of a probe with some of its fields set, by the places that the format names. */
  function readFields(
    probe: ProbeName,
    values: Readonly<Record<string, bigint>>,
    format = formatOf(probe),
  ): TcpRecord {
    const bytes = Buffer.alloc(256);
    bytes.writeUInt16LE(2, format.fields.get('family')?.offset ?? 0);
    for (const [name, value] of Object.entries(values)) {
      const field = format.fields.get(name);
      if (field === undefined) throw new Error(`${probe} has no field ${name}`);
      for (let index = 0; index < field.size; index++)
        bytes[field.offset + index] = Number((value >> BigInt(8 * index)) & 0xffn);
    }
    const compiled = compileReader(probe, format);
    if (!compiled.ok) throw new Error(compiled.problem);
    const record = createRecord();
    expect(compiled.value(record, bytes, 0, bytes.length)).toBe(true);
    return record;
  }

  const measures = {
    srtt_us: 11n,
    rttvar_us: 12n,
    snd_cwnd: 13n,
    snd_ssthresh: 0x7fff_ffffn,
    total_retrans: 15n,
  };
  const read = {
    srttUs: 11,
    rttvarUs: 12,
    congestionWindow: 13,
    slowStartThreshold: 0x7fff_ffff,
    totalRetransmits: 15,
  };

  it('has what a connection that ends has carried', () => {
    const totals = {
      bytes_acked: 2n ** 40n + 1n,
      bytes_received: 2n ** 33n,
      segs_in: 16n,
      segs_out: 0xffff_ffffn,
    };
    const values = { netns: 0xf000_0000n, oldstate: 1n, newstate: 7n, ...totals, ...measures };
    expect(readFields('tcp_set_state', values)).toMatchObject({
      netns: 0xf000_0000,
      oldState: 1,
      newState: 7,
      protocol: 6,
      bytesAcknowledged: 2 ** 40 + 1,
      bytesReceived: 2 ** 33,
      segmentsReceived: 16,
      segmentsSent: 0xffff_ffff,
      ...read,
    });
  });

  it('has the segment that is sent again, and why', () => {
    const segment = { state: 1n, seq: 0xffff_fff0n, len: 1448n, ca_state: 4n, retransmits: 2n };
    expect(readFields('tcp_retransmit_skb', { ...segment, ...measures })).toMatchObject({
      newState: 1,
      sequence: 0xffff_fff0,
      segmentBytes: 1448,
      congestionState: 4,
      timeouts: 2,
      newData: ABSENT,
      // The recording is of API 1.
      bytesAcknowledged: ABSENT,
      segmentsSent: ABSENT,
      ...read,
    });
    const probe = { state: 8n, new_data: 1n, seq: 5n, len: 6n };
    expect(readFields('tcp_send_loss_probe', { ...probe, ...measures })).toMatchObject({
      newState: 8,
      newData: 1,
      sequence: 5,
      segmentBytes: 6,
      congestionState: ABSENT,
      ...read,
    });
  });

  it('has what the connection has sent so far, since API 2', () => {
    const formatOfApi2 = (probe: ProbeName) => {
      const { name, id, fields } = formatOf(probe);
      const unsigned = (offset: number, size: number) => ({ offset, size, signed: false });
      const added = [
        ['bytes_acked', unsigned(128, 8)],
        ['segs_out', unsigned(136, 4)],
      ] as const;
      return { name, id, fields: new Map([...fields, ...added]) };
    };
    for (const probe of ['tcp_retransmit_skb', 'tcp_send_loss_probe'] as const) {
      const sent = { bytes_acked: 2n ** 33n + 5n, segs_out: 0x8000_0001n };
      expect(readFields(probe, { state: 1n, ...sent }, formatOfApi2(probe))).toMatchObject({
        bytesAcknowledged: 2 ** 33 + 5,
        segmentsSent: 0x8000_0001,
        bytesReceived: ABSENT,
        segmentsReceived: ABSENT,
      });
    }
  });

  it('says of the others what they have, and nothing of what they have not', () => {
    expect(readFields('inet_csk_accept', { state: 1n, netns: 7n })).toMatchObject({
      newState: 1,
      netns: 7,
      congestionWindow: ABSENT,
      bytesReceived: ABSENT,
    });
    expect(readFields('tcp_send_reset', { state: 0n })).toMatchObject({ newState: 0, socket: 0 });
    expect(readFields('tcp_retransmit_synack', { req: 0xffff_8a1b_2c3d_4e5fn })).toMatchObject({
      request: 0x8a1b_2c3d_4e5f,
      newState: ABSENT,
    });
  });
});
