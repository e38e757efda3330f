/** What the agent makes of recordings of real kernels, against OpenTelemetry's serializer, to the byte. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { KtcEvent } from '../../../../../src/event/tcp-event.ts';
import { createProtobufEncoder } from '../../../../../src/sink/otlp/encode/encode.ts';
import { batchOfTexts } from '../../../../support/batch.ts';
import { byOpenTelemetry, OBSERVED_MS, VERSION } from './by-opentelemetry.ts';

const ROOT = join(import.meta.dirname, '../../../../..');

it.each(['linux-6.18', 'module-6.1'])(
  'a request of what the agent makes of %s is that of OpenTelemetry',
  (name) => {
    const recording = join(ROOT, 'test/recordings', `${name}.ktcrec`);
    const output = execFileSync(join(ROOT, 'bin/ktc'), ['replay', '--json', recording], {
      maxBuffer: 2 ** 28,
    });
    const texts = output.toString('utf8').trimEnd().split('\n');
    const parsed = texts.map((line) => JSON.parse(line) as KtcEvent);
    expect(parsed.length).toBeGreaterThan(100);
    const batch = batchOfTexts(texts);
    const request = createProtobufEncoder(VERSION).encode(batch, 0, batch.count, OBSERVED_MS);
    expect(Buffer.from(request).equals(byOpenTelemetry(parsed))).toBe(true);
  },
);
