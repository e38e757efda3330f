/** Where each event of a spool's life must be by now: in memory, on the disk, or perhaps lost. */

/** Events have numbers, from 0 on in the order in which they are appended. */
export interface EventFates {
  /** Number of the next event. */
  readonly end: number;
  /** Events that a kill, or a crash, may have taken uncounted. */
  readonly excused: ReadonlySet<number>;
  /** `count` events are appended; their numbers. They are in memory. */
  add(count: number): number[];
  /** Every event is in a file. */
  noteWritten(): void;
  /** Every event that is in a file is forced to the disk. */
  noteSynced(): void;
  /** The process is killed: what is in memory may be lost. */
  kill(): void;
  /** The host crashes: what is not forced to the disk may be lost. What is left is on the disk. */
  crash(): void;
  /** A new process begins, with nothing in memory. */
  restart(): void;
}

export function createEventFates(): EventFates {
  let end = 0;
  /** In no file yet. */
  const inMemory = new Set<number>();
  const durable = new Set<number>();
  const excused = new Set<number>();
  const all = () => Array.from({ length: end }, (_, event) => event);
  return {
    get end() {
      return end;
    },
    excused,
    add(count) {
      const events = Array.from({ length: count }, () => end++);
      for (const event of events) inMemory.add(event);
      return events;
    },
    noteWritten() {
      inMemory.clear();
    },
    noteSynced() {
      for (const event of all()) if (!inMemory.has(event)) durable.add(event);
    },
    kill() {
      for (const event of inMemory) excused.add(event);
    },
    crash() {
      for (const event of all()) {
        if (durable.has(event)) continue;
        excused.add(event);
        durable.add(event);
      }
    },
    restart() {
      inMemory.clear();
    },
  };
}
