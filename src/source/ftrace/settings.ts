/**
 * Guards the settings that the trace depends on, and restores them when another program changes them. For example,
 * `trace-cmd reset -a` disables the events of every instance on the host, and a source without events looks like a host
 * without traffic.
 */
import { type KeptFile, keepFile } from '../kept-open-file.ts';
import type { Instance } from './instance.ts';

export interface Setting {
  /** Relative to the instance's directory. */
  readonly file: string;
  readonly value: string;
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
  text: string;
}

function textOf(kept: KeptFile): string | null {
  return kept.read()?.toString('latin1') ?? null;
}

/** Opens settings that have their value now. They will be restored in this order. */
export function guardSettings(instance: Instance, settings: readonly Setting[]): Settings {
  const guarded = settings.flatMap((setting): GuardedSetting[] => {
    const kept = keepFile(`${instance.path}/${setting.file}`, 'write');
    return kept === null ? [] : [{ ...setting, kept, text: textOf(kept) ?? '' }];
  });
  const writeZero = (isMeant: (file: string) => boolean): void => {
    for (const { file, kept } of guarded) if (isMeant(file)) kept.write('0');
  };
  return {
    restore() {
      const changed: string[] = [];
      for (const setting of guarded) {
        const text = textOf(setting.kept);
        if (text === null) return { changed, gone: setting.file };
        if (text === setting.text) continue;
        setting.kept.write(setting.value);
        // Reported once, also if it cannot be restored.
        setting.text = textOf(setting.kept) ?? text;
        changed.push(setting.file);
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
