/** Catches what a logger writes, line by line. */
export function collectLines() {
  const raw: string[] = [];
  const all = () => raw.map((line) => JSON.parse(line) as Record<string, unknown>);
  return {
    raw,
    stream: { write: (line: string) => void raw.push(line) },
    all,
    messages: () => all().map(({ msg }) => msg),
  };
}
