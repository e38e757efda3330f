/** The pictures of docs/: each is shown by a page, and small enough to be kept. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const DOCS = join(import.meta.dirname, '../../../docs');
const MOST_BYTES = 150_000;

test('pages show the pictures that there are, and no others', () => {
  const pages = readdirSync(DOCS).filter((name) => name.endsWith('.md'));
  const shown = pages.flatMap((page) =>
    [...readFileSync(join(DOCS, page), 'utf8').matchAll(/!\[[^\]]+\]\(images\/([^)]+)\)/g)].map(
      ([, name]) => name,
    ),
  );
  expect(shown.sort()).toEqual(readdirSync(join(DOCS, 'images')).sort());
});

test('no picture is large', () => {
  for (const name of readdirSync(join(DOCS, 'images')))
    expect(statSync(join(DOCS, 'images', name)).size, name).toBeLessThanOrEqual(MOST_BYTES);
});
