/**
 * Makes the template of `ktc report`: one file with its style and its script, that may load nothing and run nothing else:
 * its policy names both by their hashes.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';

const PAGE = join(import.meta.dirname, '../src/report/page');

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

interface Bundled {
  readonly text: string;
  readonly metafile: Metafile;
}

async function bundle(entryPoint: string): Promise<Bundled> {
  const { outputFiles, metafile } = await build({
    entryPoints: [entryPoint],
    bundle: true,
    minify: true,
    write: false,
    // Without a name for the output, esbuild cannot tell what kind it is.
    outdir: PAGE,
    format: 'iife',
    target: ['chrome122', 'firefox127', 'safari17'],
    legalComments: 'inline',
    // Node's text helpers are shared with the page; nothing of Node is.
    platform: 'browser',
    logLevel: 'warning',
    metafile: true,
  });
  const [output] = outputFiles;
  // Within the page, the end of a script or a style must not stand in it.
  return { text: (output?.text ?? '').replaceAll('</', '<\\/').trim(), metafile };
}

/** The page without its data, and what it was made of. */
export async function makeReportPage(): Promise<{ html: string; metafiles: Metafile[] }> {
  const script = await bundle(join(PAGE, 'main.ts'));
  const style = await bundle(join(PAGE, 'style.css'));
  const policy = `default-src 'none'; script-src ${hashOf(script.text)}; style-src ${hashOf(style.text)}; img-src data:; base-uri 'none'; form-action 'none'`;
  // Functions, because code could hold patterns such as $&.
  const html = readFileSync(join(PAGE, 'template.html'), 'utf8')
    .replace('KTC_REPORT_POLICY', () => policy)
    .replace('/* KTC_REPORT_STYLE */', () => style.text)
    .replace('KTC_REPORT_SCRIPT', () => script.text);
  return { html, metafiles: [script.metafile, style.metafile] };
}
