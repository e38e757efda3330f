/** One layer of the configuration: the values that it sets, and every mistake in it. */
import { describe, isObject, type Key, NOT_TEXT } from '../setting/key.ts';
import type { ConfigProblem } from '../setting/problem.ts';
import { isKey, type Section } from '../setting/section.ts';
import { nearest } from './nearest.ts';
import { isOfService } from './orchestrator.ts';
import { environmentName, isConfigPath, keys, knownPaths, schema } from './schema.ts';

/** A value for a key, or for one name in a key that merges (`host.labels.rack`). */
export interface Setting {
  readonly path: string;
  /** `null`, which no key takes, removes what earlier layers have set. */
  readonly value: unknown;
  readonly origin: string;
}

export interface Layer {
  readonly settings: readonly Setting[];
  readonly problems: readonly ConfigProblem[];
  /**
   * Paths whose value is not what the operator wanted: a rule about them would only report the same mistake again.
   * `EVERYTHING` where a document cannot be read, so that it may have set any key.
   */
  readonly doubtful: readonly string[];
}

/** The path of the whole configuration. */
export const EVERYTHING = '';

const EMPTY: Layer = { settings: [], problems: [], doubtful: [] };

export function joinLayers(layers: readonly Layer[]): Layer {
  return {
    settings: layers.flatMap((layer) => layer.settings),
    problems: layers.flatMap((layer) => layer.problems),
    doubtful: layers.flatMap((layer) => layer.doubtful),
  };
}

function refuse(origin: string, path: string | null, problem: string, doubtful: readonly string[]): Layer {
  return { settings: [], problems: [{ origin, path, problem }], doubtful };
}

/** A layer that cannot be read at all. */
export function unreadable(origin: string, problem: string): Layer {
  return refuse(origin, null, problem, [EVERYTHING]);
}

function unknownKey(origin: string, path: string): Layer {
  const meant = nearest(path, knownPaths);
  const problem = meant === null ? 'unknown key' : `unknown key, the nearest is ${meant}`;
  return refuse(origin, path, problem, meant === null ? [] : [meant]);
}

/** @param removes whether `null` is a value: only where there is an earlier layer to remove from */
function setKey(key: Key<unknown>, path: string, value: unknown, origin: string, removes = false): Layer {
  if (removes && value === null) return { settings: [{ path, value, origin }], problems: [], doubtful: [] };
  if (removes && key.merges && isObject(value)) {
    const removed = Object.keys(value).filter((name) => value[name] === null);
    const others = Object.entries(value).filter(([, item]) => item !== null);
    return joinLayers([
      ...removed.map((name) => setKey(key, `${path}.${name}`, null, origin, true)),
      setKey(key, path, Object.fromEntries(others), origin),
    ]);
  }
  const faults = key.faults(value);
  if (faults.length > 0) {
    const problems = faults.map(({ at, problem }) => ({ origin, path: `${path}${at}`, problem }));
    return { settings: [], problems, doubtful: [path] };
  }
  const settings =
    key.merges && isObject(value)
      ? Object.entries(value).map(([name, item]) => ({ path: `${path}.${name}`, value: item, origin }))
      : [{ path, value, origin }];
  return { settings, problems: [], doubtful: [] };
}

/**
 * Reads a parsed document, or the part of it that belongs to a section. `origin` is the name of its file.
 *
 * @param removes whether `null` removes what earlier layers have set, or is a mistake
 */
export function readDocument(
  document: unknown,
  origin: string,
  removes = false,
  section: Section = schema,
  prefix = '',
): Layer {
  if (!isObject(document)) {
    const problem = `must be an object, is ${describe(document)}`;
    const path = prefix.slice(0, -1);
    return path === '' ? unreadable(origin, problem) : refuse(origin, path, problem, [path]);
  }
  return joinLayers(
    Object.entries(document).map(([part, value]) => {
      const path = `${prefix}${part}`;
      const node = Object.hasOwn(section, part) ? section[part] : undefined;
      if (node === undefined) return unknownKey(origin, path);
      return isKey(node)
        ? setKey(node, path, value, origin, removes)
        : readDocument(value, origin, removes, node, `${path}.`);
    }),
  );
}

/** What Node.js puts in the place of bytes of the environment and of the command line that are not UTF-8. */
const REPLACEMENT = '\ufffd';

function setText(key: Key<unknown>, path: string, text: string, origin: string): Layer {
  if (text.includes(REPLACEMENT)) return refuse(origin, path, NOT_TEXT, [path]);
  return setKey(key, path, key.decode(text), origin);
}

const pathsByVariable = new Map([...keys.keys()].map((path) => [environmentName(path), path]));

/** The `KTC_*` variables that are set, each with its value. An empty one counts as not set. */
function ourVariables(environment: NodeJS.ProcessEnv): [variable: string, text: string][] {
  return Object.entries(environment).flatMap(([variable, text = '']) =>
    variable.startsWith('KTC_') && text !== '' ? [[variable, text]] : [],
  );
}

/** The `KTC_*` variables that an orchestrator has set for a service, and that say nothing to the agent. */
export function serviceVariables(environment: NodeJS.ProcessEnv): string[] {
  return ourVariables(environment)
    .filter(([variable, text]) => isOfService(variable, text))
    .map(([variable]) => variable);
}

/** Reads the `KTC_*` variables, but those of services. */
export function readEnvironment(environment: NodeJS.ProcessEnv): Layer {
  return joinLayers(
    ourVariables(environment).map(([variable, text]) => {
      if (isOfService(variable, text)) return EMPTY;
      const path = pathsByVariable.get(variable);
      const key = path === undefined ? undefined : keys.get(path);
      if (path !== undefined && key !== undefined) return setText(key, path, text, variable);
      const meant = nearest(variable, [...pathsByVariable.keys()]);
      const doubtful = meant === null ? undefined : pathsByVariable.get(meant);
      const problem = meant === null ? 'unknown variable' : `unknown variable, the nearest is ${meant}`;
      return refuse(variable, null, problem, doubtful === undefined ? [] : [doubtful]);
    }),
  );
}

const FLAG = '--set';

/** Reads the values of `--set path=value`, by path. */
export function readFlags(flags: Readonly<Record<string, string>>): Layer {
  return joinLayers(Object.entries(flags).map(([path, text]) => readFlag(path, text)));
}

function readFlag(path: string, text: string): Layer {
  const key = isConfigPath(path) ? keys.get(path) : undefined;
  if (key) return setText(key, path, text, FLAG);
  for (const [parent, merging] of keys) {
    if (!merging.merges || !path.startsWith(`${parent}.`)) continue;
    return text.includes(REPLACEMENT)
      ? refuse(FLAG, path, NOT_TEXT, [parent])
      : setKey(merging, parent, { [path.slice(parent.length + 1)]: text }, FLAG);
  }
  if (knownPaths.includes(path)) return refuse(FLAG, path, 'is a section: set its keys one by one', [path]);
  return unknownKey(FLAG, path);
}
