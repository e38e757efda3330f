/** The source that a configuration asks for. */
import type { AgentConfig } from '../../config/schema.ts';
import { type Opened, refusal, success } from '../../shared/result.ts';
import { joinSnapshots, readExistingConnections } from '../../source/host/sockets.ts';
import { openKernelSource } from '../../source/kernel.ts';
import { type Catalog, MODULE, TRACEPOINTS } from '../../source/probes.ts';
import type { RecordingWriter } from '../../source/recording/recording.ts';
import { openReplay } from '../../source/recording/replay.ts';
import type { LiveNews, Source } from '../../source/source.ts';
import { provideModule } from './module.ts';
import { checkSurroundings } from './surroundings.ts';

/** What a source reports while it is opened and read, in one line each. */
export interface SourceNews extends LiveNews {
  /** A recording turns out to be damaged while it is replayed. */
  damaged(problem: string): void;
  /** `auto` goes on without the module. */
  withoutModule(reason: string): void;
}

export const NO_NEWS: SourceNews = {
  damaged() {},
  withoutModule() {},
  ended() {},
  left() {},
  unreadable() {},
};

interface Choice {
  readonly catalog: Catalog;
  /** Why `auto` has not chosen the module, or null. */
  readonly withoutModule: string | null;
}

/** Chooses the events: those of the module where it is or can be loaded, else the kernel's native tracepoints. */
function chooseCatalog(config: AgentConfig): Opened<Choice> {
  const { kind } = config.source;
  if (kind === 'tracepoints') return success({ catalog: TRACEPOINTS, withoutModule: null });
  const module = provideModule(config);
  if (module.ok) return success({ catalog: MODULE, withoutModule: null });
  if (kind === 'module') return module;
  return success({ catalog: TRACEPOINTS, withoutModule: module.problem });
}

export interface SourceOptions {
  readonly recording?: RecordingWriter;
  /** This process gives root up when the source is open. */
  readonly losesRoot?: boolean;
  /** As for `openKernelSource`. */
  readonly isPrivate?: boolean;
}

/** Opens the source, and gives its handler the connections that exist already. */
export async function openSource(
  config: AgentConfig,
  news: SourceNews,
  { recording, losesRoot = false, isPrivate = false }: SourceOptions = {},
): Promise<Opened<Source>> {
  const { source, host } = config;
  if (source.kind === 'replay') return openReplay(source.recording, news.damaged);
  const surroundings = checkSurroundings();
  if (!surroundings.ok) return surroundings;
  const choice = chooseCatalog(config);
  if (!choice.ok) return choice;
  const { catalog, withoutModule } = choice.value;
  const before = await readExistingConnections();
  const opened = openKernelSource({
    catalog,
    instance: source.instance,
    bufferKb: source.buffer_kb,
    lingerMs: config.batch.linger_ms,
    probes: source.probes,
    tracksProcesses: source.process_tracking,
    hostName: host.name,
    losesRoot,
    isPrivate,
    news,
    ...(recording !== undefined && { recording }),
  });
  if (!opened.ok) {
    if (withoutModule === null || opened.permission === true) return opened;
    return refusal(`${opened.problem}; ${withoutModule}`);
  }
  if (withoutModule !== null) news.withoutModule(withoutModule);
  // Read once before and once after the probes are on: a connection of the first time may be closed by now.
  const existing = joinSnapshots(before, await readExistingConnections());
  recording?.existing(existing);
  const kernelSource = opened.value;
  return success({
    ...kernelSource,
    run(handler) {
      handler.existing(existing);
      return kernelSource.run(handler);
    },
  });
}
