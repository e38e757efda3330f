/** The settings that decide what an instance records, beside its events, and how an instance gets them. */
import { existsSync } from 'node:fs';
import { type Opened, success } from '../../shared/result.ts';
import { bufferCpus, type Instance, readSetting, writeSetting } from './instance.ts';
import { emptyPidLists, PID_LISTS, type Setting } from './settings.ts';

/** The value in use of a file that lists all values: `[local] global mono` → `local`. */
function selectedValue(setting: string | null): string | null {
  return setting === null ? null : (/\[(\S+)\]/.exec(setting)?.[1] ?? null);
}

/** All CPUs as a mask of the kernel: hexadecimal, a comma between groups of 32 bits (Documentation/core-api/bitmaps). */
function allCpus(instance: Instance): string {
  const digits = ((1n << BigInt(bufferCpus(instance))) - 1n).toString(16);
  return digits.replace(/\B(?=(?:.{8})+$)/g, ',');
}

/**
 * What else an instance records by, as in a new instance of a kernel that nobody has configured. A new instance takes the
 * options of the global buffer, and one that is taken over may have been changed by anybody. Older kernels have not all.
 */
export function heldSettings(instance: Instance, bufferKb: number): Setting[] {
  // It stays as it is: another size would empty the buffer of an instance that is taken over.
  const pageKb = readSetting(instance, 'buffer_subbuf_size_kb');
  return [
    // Any other tracer fills the buffer with its own records.
    { file: 'current_tracer', value: 'nop' },
    { file: 'tracing_cpumask', value: allCpus(instance) },
    ...PID_LISTS.map((file) => ({ file, value: '', list: 'pids' }) as const),
    // A full buffer loses its oldest records, which the kernel counts as `overrun`.
    { file: 'options/overwrite', value: '1' },
    // Whoever reads `trace` would stop the recording for so long.
    { file: 'options/pause-on-trace', value: '0' },
    ...(pageKb === null ? [] : [{ file: 'buffer_subbuf_size_kb', value: pageKb }]),
    { file: 'buffer_size_kb', value: String(bufferKb) },
  ];
}

/**
 * Sets the clock, the size of the buffers (KiB per CPU) and what else decides what is recorded, and starts recording. Writes
 * only what differs: a new clock clears the buffers, and those of a taken-over instance may hold records. Gives the name
 * of the clock.
 */
export function prepareInstance(instance: Instance, bufferKb: number): Opened<string> {
  const clocks = readSetting(instance, 'trace_clock') ?? '';
  const clock = clocks.split(/[\s[\]]+/).includes('mono') ? 'mono' : 'global';
  const settings: Setting[] = [];
  if (selectedValue(clocks) !== clock) settings.push({ file: 'trace_clock', value: clock });
  for (const setting of heldSettings(instance, bufferKb)) {
    const value = readSetting(instance, setting.file);
    if (value !== null && value !== setting.value && setting.list === undefined) settings.push(setting);
  }
  // Wake a waiting reader at the first record, not when half of the buffer is full. EL7 always does so.
  if (existsSync(`${instance.path}/buffer_percent`)) settings.push({ file: 'buffer_percent', value: '0' });
  settings.push({ file: 'tracing_on', value: '1' });
  if (instance.takenOver) emptyPidLists(instance);
  for (const { file, value } of settings) {
    const written = writeSetting(instance, file, value);
    if (!written.ok) return written;
  }
  return success(clock);
}
