/**
 * Guards the settings that the trace depends on, and restores them when another program changes them. For example,
 * `trace-cmd reset -a` disables the events of every instance on the host, and a source without events looks like a host
 * without traffic.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { isSystemError } from '../../shared/errors.ts';
import { type KeptFile, keepFile } from '../kept-open-file.ts';
import type { Instance } from './instance.ts';
import { activeTriggers, removalOf } from './triggers.ts';

export interface Setting {
  /** Relative to the instance's directory. */
  readonly file: string;
  /** Empty for a list. */
  readonly value: string;
  /** A list of process ids is emptied by truncating it, a list of triggers by removing each. Absent: the value is written. */
  readonly list?: 'pids' | 'triggers';
}

export interface Restored {
  /** Files that another program had changed. They have their value again, unless the kernel refused it. */
  readonly changed: readonly string[];
  /** A file that does not exist any more, because its event went with its module; null if all exist. */
  readonly gone: string | null;
}

export interface Settings {
  /** Compares every setting with its value, and writes those that differ. */
  restore(): Restored;
  /** Stops the ring buffer: the kernel records nothing any more. */
  stopRecording(): void;
  disableEvents(): void;
  close(): void;
}

interface GuardedSetting extends Setting {
  readonly kept: KeptFile;
  /** What the kernel gives back for the value, which is not always the same text. */
  readonly wanted: string;
  /** The text that was reported last and could not be restored; null while there is none. */
  reported: string | null;
}

/** Empties the lists of process ids that decide for which processes the instance records. */
export type EmptyPidLists = (instance: Instance) => void;

/** They filter by `common_pid` (kernel/trace/trace_events.c); before Linux 4.4, and on EL7, there are none. */
export const PID_LISTS = ['set_event_pid', 'set_event_notrace_pid'] as const;

/** The kernel empties them when they are opened with O_TRUNC, and only then (`ftrace_event_set_pid_open`). */
export function emptyPidLists({ path }: Instance): void {
  for (const file of PID_LISTS) {
    try {
      closeSync(openSync(`${path}/${file}`, constants.O_WRONLY | constants.O_TRUNC));
    } catch (error) {
      // This kernel has none, or this process is not root any more.
      if (!isSystemError(error)) throw error;
    }
  }
}

function textOf(kept: KeptFile, list: Setting['list']): string | null {
  const text = kept.read();
  return text === null || list !== 'triggers' ? text : activeTriggers(text).join('\n');
}

/** Opens settings that have their value now. They will be restored in this order. */
export function guardSettings(
  instance: Instance,
  settings: readonly Setting[],
  emptyPids: EmptyPidLists = emptyPidLists,
): Settings {
  const guarded = settings.flatMap((setting): GuardedSetting[] => {
    const kept = keepFile(`${instance.path}/${setting.file}`, 'write');
    if (kept === null) return [];
    return [{ ...setting, kept, wanted: textOf(kept, setting.list) ?? '', reported: null }];
  });

  function putBack({ kept, value, list }: GuardedSetting, text: string): void {
    if (list === 'pids') emptyPids(instance);
    else if (list === 'triggers') for (const trigger of text.split('\n')) kept.write(removalOf(trigger));
    else kept.write(value);
  }

  const writeZero = (isMeant: (file: string) => boolean): void => {
    for (const { file, kept } of guarded) if (isMeant(file)) kept.write('0');
  };
  return {
    restore() {
      const changed: string[] = [];
      for (const setting of guarded) {
        const { kept, list, file, wanted } = setting;
        const text = textOf(kept, list);
        if (text === null) return { changed, gone: file };
        if (text === wanted) {
          setting.reported = null;
          continue;
        }
        putBack(setting, text);
        // Reported once, also if it cannot be restored.
        if (text !== setting.reported) changed.push(file);
        const now = textOf(kept, list);
        setting.reported = now === wanted ? null : now;
      }
      return { changed, gone: null };
    },
    stopRecording: () => writeZero((file) => file === 'tracing_on'),
    disableEvents: () => writeZero((file) => file.endsWith('/enable')),
    close() {
      for (const { kept } of guarded) kept.close();
    },
  };
}
