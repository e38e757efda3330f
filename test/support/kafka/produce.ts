/** Messages into a topic by kcat, with the compression of librdkafka: what another producer's agent would send. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Between messages, as they may hold line breaks: the record separator of ASCII, which JSON text escapes. */
const SEPARATOR = '\u001e';

const LINES_PER_MESSAGE = 100;

/** Messages of the format ndjson. */
export const packed = (lines: readonly string[]): string[] =>
  Array.from({ length: Math.ceil(lines.length / LINES_PER_MESSAGE) }, (_, index) =>
    lines.slice(index * LINES_PER_MESSAGE, (index + 1) * LINES_PER_MESSAGE).join('\n'),
  );

/** Produces and waits for the acknowledgement of all. */
export async function produceAll(
  broker: string,
  topic: string,
  messages: readonly string[],
  codec: 'none' | 'gzip' | 'zstd' = 'none',
): Promise<void> {
  const child = spawn('kcat', ['-P', '-b', broker, '-t', topic, '-z', codec, '-D', SEPARATOR], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const exit = once(child, 'exit');
  child.stdin.end(messages.join(SEPARATOR));
  const [code] = (await exit) as [number | null];
  if (code !== 0) throw new Error(`kcat ended with ${code} producing to ${topic}`);
}
