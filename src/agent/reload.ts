/** Takes over a configuration that was changed while the agent runs. */
import { compareConfigs } from '../config/compare.ts';
import type { ConfigResult, LoadedConfig } from '../config/load.ts';
import type { AgentConfig } from '../config/schema.ts';
import { formatProblem } from '../setting/problem.ts';
import type { Logging } from '../telemetry/logger.ts';

export interface Reload {
  /** The configuration that holds now. */
  readonly config: AgentConfig;
  /**
   * Reads the configuration again and takes it over as a whole, or says in the log why not. True when it was taken
   * over.
   */
  reread(): boolean;
}

export interface ReloadOptions {
  readonly loaded: LoadedConfig;
  /** Reads the configuration again; null where there is nothing to read. */
  readonly reread: (() => ConfigResult) | null;
}

export function createReload({ loaded, reread }: ReloadOptions, { log, setLevel }: Logging): Reload {
  let { config } = loaded;

  function refuse(fields: object, reason: string): false {
    log.error(fields, `the configuration was not reloaded: ${reason}`);
    return false;
  }

  return {
    get config() {
      return config;
    },
    reread() {
      if (reread === null) {
        log.warn({}, 'there is no configuration file to read again');
        return false;
      }
      const next = reread();
      if (!next.ok) {
        for (const problem of next.problems) log.error({}, formatProblem(problem));
        return refuse({}, 'the old one stays');
      }
      const { changed, refused } = compareConfigs(config, next.value.config);
      if (refused.length > 0) return refuse({ refused }, 'these keys need a restart, the old ones stay');
      config = next.value.config;
      setLevel(config.log.level);
      log.info({ changed }, 'the configuration was reloaded');
      return true;
    },
  };
}
