/** Reads which file of src/ imports which, and compares it with the table of docs/architecture.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** What each file imports, by paths such as `src/event/gate.ts`; imports of types count too. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/** One row of the table: the files below `folder` may import their own folder and what is below `mayImport`. */
export interface FolderRule {
  readonly folder: string;
  readonly mayImport: readonly string[];
}

const IMPORT = /^(?:import|export)\s(?:[^;]*?\sfrom\s+)?'(\.{1,2}\/[^']+)';/gm;
const DYNAMIC_IMPORT = /\bimport\('(\.{1,2}\/[^']+)'\)/g;
/** `| [`src/event`](#srcevent) | `src/ledger`, `src/source` | …` */
const ROW = /^\| \[?`(src\/[^`]+)`[^|]*\| ([^|]*) \|/gm;
const PATH = /`(src\/[^`]+)`/g;

/** The relative imports of a file's text, as paths from the root of the project. */
export function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(IMPORT), ...text.matchAll(DYNAMIC_IMPORT)].map(([, target = '']) =>
    normalize(join(dirname(path), target)),
  );
}

/** The imports of every file below `src` of the project at `root`. */
export function readImports(root: string): Imports {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `src/${name}`);
  return new Map(files.map((path) => [path, importsOf(path, readFileSync(join(root, path), 'utf8'))]));
}

/** The rules in a page's table of folders. */
export function readRules(page: string): FolderRule[] {
  return [...page.matchAll(ROW)].map(([, folder = '', allowed = '']) => ({
    folder,
    mayImport: [...allowed.matchAll(PATH)].map(([, path = '']) => path),
  }));
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** The rule of the innermost folder that has one. */
function ruleOf(path: string, rules: readonly FolderRule[]): FolderRule | undefined {
  return rules
    .filter(({ folder }) => isBelow(path, folder))
    .sort((one, other) => other.folder.length - one.folder.length)[0];
}

/** Each import that the rules forbid, as one line. */
export function forbiddenImports(imports: Imports, rules: readonly FolderRule[]): string[] {
  return [...imports].flatMap(([path, targets]) => {
    const rule = ruleOf(path, rules);
    if (rule === undefined) return [`${path} is in no folder of the table`];
    return targets
      .filter((target) => ![rule.folder, ...rule.mayImport].some((folder) => isBelow(target, folder)))
      .map((target) => `${path} imports ${target}, which ${rule.folder} may not`);
  });
}

/** A circle of imports, each file importing the next, or null when there is none. */
export function findCircle(imports: Imports): string[] | null {
  const done = new Set<string>();
  const open: string[] = [];

  function visit(path: string): string[] | null {
    if (done.has(path)) return null;
    if (open.includes(path)) return [...open.slice(open.indexOf(path)), path];
    open.push(path);
    for (const target of imports.get(path) ?? []) {
      const circle = visit(target);
      if (circle !== null) return circle;
    }
    open.pop();
    done.add(path);
    return null;
  }

  for (const path of imports.keys()) {
    const circle = visit(path);
    if (circle !== null) return circle;
  }
  return null;
}
