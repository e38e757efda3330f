/**
 * The settings that the trace depends on, held against others: `trace-cmd reset -a`, for one, switches off the events
 * of every instance on the host, and a source without events looks like a host without traffic.
 */
import { type KeptFile, keepFile } from '../kept-open-file.ts';
import type { Instance } from './instance.ts';

export interface Setting {
  /** Below the instance's directory. */
  readonly file: string;
  readonly value: string;
}

export interface Restored {
  /** Files that somebody else had changed; they have their value again where the kernel took it. */
  readonly changed: readonly string[];
  /** A file that is no more: the event has gone with its module. Null when all are there. */
  readonly gone: string | null;
}

export interface Settings {
  restore(): Restored;
  /** Switches off: nothing is recorded any more. */
  stopRecording(): void;
  disableEvents(): void;
  close(): void;
}

interface HeldSetting extends Setting {
  readonly kept: KeptFile;
  /** What the kernel says to its value, which is not always the value. */
  text: string;
}

function textOf(kept: KeptFile): string | null {
  return kept.read()?.toString('latin1') ?? null;
}

/** Opens settings that have their value at this moment. They are restored in this order. */
export function holdSettings(instance: Instance, settings: readonly Setting[]): Settings {
  const held = settings.flatMap((setting): HeldSetting[] => {
    const kept = keepFile(`${instance.path}/${setting.file}`, 'write');
    return kept === null ? [] : [{ ...setting, kept, text: textOf(kept) ?? '' }];
  });
  const write = (isMeant: (file: string) => boolean): void => {
    for (const { file, kept } of held) if (isMeant(file)) kept.write('0');
  };
  return {
    restore() {
      const changed: string[] = [];
      for (const setting of held) {
        const text = textOf(setting.kept);
        if (text === null) return { changed, gone: setting.file };
        if (text === setting.text) continue;
        setting.kept.write(setting.value);
        // Told once, also where it cannot be put back.
        setting.text = textOf(setting.kept) ?? text;
        changed.push(setting.file);
      }
      return { changed, gone: null };
    },
    stopRecording: () => write((file) => file === 'tracing_on'),
    disableEvents: () => write((file) => file.endsWith('/enable')),
    close() {
      for (const { kept } of held) kept.close();
    },
  };
}
