import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { type Frame, readFrames } from '../../../../src/source/recording/frame-reader.ts';
import { putTogether } from '../recorded.ts';

const directory = mkdtempSync(join(tmpdir(), 'ktc-frames-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Outcome {
  readonly frames: Frame[];
  readonly problem: string | null;
}

async function readAll(path: string): Promise<Outcome> {
  const frames: Frame[] = [];
  for await (const frame of readFrames(path)) {
    if (!frame.ok) return { frames, problem: frame.problem };
    frames.push(frame.value);
  }
  return { frames, problem: null };
}

function read(...frames: readonly (readonly [type: number, payload: string])[]): Promise<Outcome> {
  const path = join(directory, 'frames.ktcrec');
  const raw = frames.map(([type, payload]) => ({ type, cpu: 3, payload: Buffer.from(payload) }));
  writeFileSync(path, gzipSync(putTogether(raw)));
  return readAll(path);
}

const HOST = {
  time: 1500,
  netns: null,
  addresses: ['10.1.2.3'],
  counters: { 'Tcp.OutSegs': 7 },
  interfaces: { eth0: { rx_errors: 0 } },
};
/** What a recording says without a time. */
const since = Number.NEGATIVE_INFINITY;
const ALWAYS = { time: since };
const GIVE: readonly [number, string] = [5, '{"watermark":1500}'];

describe('the frames of a recording', () => {
  test('have the values that were written', async () => {
    expect(
      await read(
        [2, 'page'],
        [3, '{"wallSeconds":1,"wallNanoseconds":2}'],
        [4, '{"thread":11,"pid":10,"comm":"sh"}'],
        [4, '{"thread":12,"pid":12,"comm":null}'],
        [4, '{"thread":2,"pid":2,"comm":"kthreadd","isKernel":true,"since":-5}'],
        [4, '{"thread":13,"pid":null,"comm":null,"time":7}'],
        [9, '{"pid":10,"time":7,"place":{"unit":"a.service","containerId":null}}'],
        [9, '{"pid":11,"time":8,"place":null}'],
        GIVE,
        [6, '{"reason":"kernel_overrun","records":7}'],
        [7, '{"existing":[]}'],
        [8, JSON.stringify(HOST)],
        [5, '{"watermark":null}'],
      ),
    ).toEqual({
      frames: [
        { kind: 'page', cpu: 3, page: Buffer.from('page') },
        { kind: 'clock', wallSeconds: 1, wallNanoseconds: 2 },
        {
          kind: 'task',
          thread: 11,
          ...ALWAYS,
          facts: { who: { pid: 10, comm: 'sh', isKernel: false }, since },
        },
        {
          kind: 'task',
          thread: 12,
          ...ALWAYS,
          facts: { who: { pid: 12, comm: null, isKernel: false }, since },
        },
        {
          ...{ kind: 'task', thread: 2, ...ALWAYS },
          facts: { who: { pid: 2, comm: 'kthreadd', isKernel: true }, since: -5 },
        },
        { kind: 'task', thread: 13, time: 7, facts: null },
        { kind: 'place', pid: 10, time: 7, place: { unit: 'a.service', containerId: null } },
        { kind: 'place', pid: 11, time: 8, place: null },
        { kind: 'give', watermark: 1500 },
        { kind: 'lost', reason: 'kernel_overrun', records: 7 },
        { kind: 'existing', connections: [] },
        { kind: 'host', report: HOST },
        { kind: 'give', watermark: Number.POSITIVE_INFINITY },
      ],
      problem: null,
    });
  });

  test('of a type that a later version may add are unknown', async () => {
    expect(await read([99, 'later'], GIVE)).toEqual({
      frames: [{ kind: 'unknown' }, { kind: 'give', watermark: 1500 }],
      problem: null,
    });
  });

  test.each<[string, number, string, string]>([
    ['a clock without a time', 3, '{"wallSeconds":1}', 'a frame of kind clock lacks fields'],
    ['a task without an id', 4, '{"thread":11}', 'a frame of kind task lacks fields'],
    ['a place of nobody', 9, '{"time":7,"place":null}', 'a frame of kind place lacks fields'],
    ['an absent watermark', 5, '{}', 'a frame of kind give lacks fields'],
    ['a loss without a number', 6, '{"reason":"kernel_overrun"}', 'a frame of kind lost lacks fields'],
    ['connections that are no list', 7, '{"existing":1}', 'a frame of kind existing lacks fields'],
    [
      'a host without addresses',
      8,
      '{"time":1,"counters":{},"interfaces":{}}',
      'a frame of kind host lacks fields',
    ],
    ['null', 3, 'null', 'a frame holds no object'],
    ['text', 3, 'clock', 'JSON'],
  ])('are refused from the first one on that holds something else: %s', async (_, type, json, expected) => {
    const { frames, problem } = await read(GIVE, [type, json], GIVE);
    expect(frames).toHaveLength(1);
    expect(problem).toContain(expected);
  });

  test('of a path that is no file are refused with the error of the system', async () => {
    expect((await readAll(directory)).problem).toContain('EISDIR');
  });
});
