import { describe, expect, test } from 'vitest';
import { createClearingDetector } from '../../../../src/source/ftrace/clearing.ts';

function open(readBefore: number) {
  const streams = { given: 0, isEmpty: true };
  const kernel = { read: readBefore };
  const detector = createClearingDetector(readBefore, streams, () => kernel.read);
  return { streams, kernel, detector };
}

describe('what others read out of a ring buffer', () => {
  test("is what the kernel's count has more than what was given, each record once", () => {
    const { streams, detector } = open(100);
    streams.given = 20;
    expect(detector.readByOthers(120)).toBe(0);
    expect(detector.readByOthers(127)).toBe(7);
    expect(detector.readByOthers(127)).toBe(0);
    expect(detector.records).toBe(127);
    streams.given = 30;
    expect(detector.readByOthers(137)).toBe(0);
    expect(detector.readByOthers(138)).toBe(1);
    expect(detector.isCleared(138)).toBe(false);
    expect(detector.isCleared(137)).toBe(true);
  });

  test('cannot be told while records wait to be given, or after the buffer was emptied', () => {
    const { streams, kernel, detector } = open(0);
    streams.isEmpty = false;
    expect(detector.readByOthers(5)).toBe(0);
    streams.isEmpty = true;
    detector.suspend();
    expect(detector.readByOthers(5)).toBe(0);
    kernel.read = 5;
    detector.resume();
    expect(detector.readByOthers(6)).toBe(1);
  });
});

describe('the clearing of a ring buffer', () => {
  test("shows in a kernel's count below what was given", () => {
    const { streams, detector } = open(100);
    streams.given = 20;
    expect(detector.isCleared(120)).toBe(false);
    expect(detector.isCleared(119)).toBe(true);
    expect(detector.isCleared(0)).toBe(true);
  });

  test('does not show while the kernel has read further than what was given', () => {
    const { streams, detector } = open(0);
    streams.given = 20;
    expect(detector.isCleared(25)).toBe(false);
  });

  test('is found once: the counts are compared again when every record read was given', () => {
    const { streams, kernel, detector } = open(100);
    streams.given = 20;
    streams.isEmpty = false;
    kernel.read = 5;
    detector.suspend();
    detector.resume();
    expect(detector.isCleared(5)).toBe(false);
    streams.given = 25;
    streams.isEmpty = true;
    detector.resume();
    expect(detector.isCleared(5)).toBe(false);
    expect(detector.isCleared(4)).toBe(true);
    streams.given = 30;
    expect(detector.isCleared(10)).toBe(false);
    expect(detector.isCleared(9)).toBe(true);
  });

  test("changes the count of the instance's records to the kernel's", () => {
    const { streams, kernel, detector } = open(100);
    streams.given = 20;
    expect(detector.records).toBe(120);
    kernel.read = 3;
    detector.resume();
    expect(detector.records).toBe(120);
    detector.suspend();
    detector.resume();
    expect(detector.records).toBe(3);
    streams.given = 22;
    expect(detector.records).toBe(5);
  });
});
