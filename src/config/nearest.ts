/** The name that an operator probably wanted to write in place of one that does not exist. */

/** Levenshtein's distance: insertions, deletions and replacements between two strings. */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, character] of [...from].entries()) {
    let diagonal = index;
    let left = index + 1;
    const next = [left];
    for (let column = 0; column < to.length; column++) {
      const above = row[column + 1] ?? 0;
      left = Math.min(above + 1, left + 1, diagonal + (character === to[column] ? 0 : 1));
      diagonal = above;
      next.push(left);
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/**
 * The candidate with the least edit distance, null when none is similar. One with the same last part
 * (`brokers` for `sink.kafka.brokers`) comes first: the name was right and the place was not.
 */
export function nearest(written: string, candidates: readonly string[]): string | null {
  const last = (path: string) => path.slice(path.lastIndexOf('.') + 1);
  const namesakes = candidates.filter((candidate) => last(candidate) === last(written));
  const limit = namesakes.length > 0 ? Number.POSITIVE_INFINITY : Math.ceil(written.length / 3);
  let best: string | null = null;
  let least = limit + 1;
  for (const candidate of namesakes.length > 0 ? namesakes : candidates) {
    const distance = editDistance(written, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}
