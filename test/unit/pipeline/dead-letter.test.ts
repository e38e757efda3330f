import { expect, test } from 'vitest';
import { createDeadLetter } from '../../../src/pipeline/dead-letter.ts';
import { batchOfTexts } from '../../support/batch.ts';
import { createScriptedSink, settle, textsOf } from './scripted-sink.ts';

const AT = '2026-11-24T02:13:20.000Z';

function openFixture() {
  const file = createScriptedSink();
  const problems: string[] = [];
  const deadLetter = createDeadLetter({
    file,
    onFault: (problem) => problems.push(problem),
    now: () => new Date(AT),
  });
  return { file, problems, deadLetter };
}

test('a refused event is one line with its time, sink, reason, and the event as it was', async () => {
  const { file, problems, deadLetter } = openFixture();
  deadLetter.keep('kafka', batchOfTexts(['{"a":1}', '{"b": 2}', '{"c":"ü"}']), [
    { index: 2, reason: 'invalid_record' },
    { index: 1, reason: 'message_too_large' },
  ]);
  await settle();
  await file.opening[0]?.(null);
  const [sending] = file.sending;
  expect(sending?.texts).toEqual([
    `{"time":"${AT}","sink":"kafka","reason":"invalid_record","event":{"c":"ü"}}`,
    `{"time":"${AT}","sink":"kafka","reason":"message_too_large","event":{"b": 2}}`,
  ]);
  expect(sending && textsOf(sending.batch)).toEqual(sending?.texts);
  await sending?.answer({ refused: [], retry: null });
  await deadLetter.close();
  expect(file.closed).toBe(1);
  expect(problems).toEqual([]);
});

test('a file that cannot be opened or written is reported, and the next events are tried again', async () => {
  const { file, problems, deadLetter } = openFixture();
  for (let refusal = 0; refusal < 3; refusal++)
    deadLetter.keep('otlp', batchOfTexts([`{"n":${refusal}}`]), [{ index: 0, reason: 'bad_request' }]);
  await settle();
  await file.opening[0]?.({ problem: 'cannot open the file', mayPass: true });
  expect(problems).toEqual(['cannot open the file']);
  await file.opening[1]?.(null);
  await file.sending[0]?.answer({
    refused: [],
    retry: { events: 'rest', afterMs: null, reason: 'disk full' },
  });
  expect(problems).toEqual(['cannot open the file', 'disk full']);
  await file.opening[2]?.(null);
  expect(file.sending[0]?.texts).toEqual([expect.stringContaining('"event":{"n":2}}')]);
  await file.sending[0]?.answer({ refused: [], retry: null });
  await deadLetter.close();
  expect(problems).toHaveLength(2);
});
