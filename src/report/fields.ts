/** Reads fields of an event that somebody else has written: each is checked, none is trusted. */

export type Fields = Readonly<Record<string, unknown>>;

/** A JSON object, or null. */
export function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A number that can be counted with; null for anything else. */
export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** The members of an object that are numbers, with their names. */
export function numbersOf(value: unknown): Map<string, number> {
  const entries = Object.entries(fieldsOf(value) ?? {}).flatMap(([name, member]): [string, number][] => {
    const number = numberOf(member);
    return number === null ? [] : [[name, number]];
  });
  return new Map(entries);
}

export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((member) => typeof member === 'string') : [];
}
