/** An object with a member for each of the keys. */
export function recordOf<Key extends string, Value>(
  keys: readonly Key[],
  make: (key: Key) => Value,
): Record<Key, Value> {
  // Object.fromEntries forgets which keys there are.
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<Key, Value>;
}
