/** The list of everything inside a package, in the form of CycloneDX 1.5. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PackageOptions } from './options.ts';
import { PackagingFault, run } from './process.ts';
import { type Component, sha256Of } from './runtime.ts';
import type { Parts } from './tree.ts';

/** The C library that is linked into notify-exec. */
export function linkedLibrary(): Component {
  const version = run('dpkg-query', ['--show', '--showformat', `\${Version}`, 'musl-dev']);
  return {
    name: 'musl',
    version,
    license: 'MIT',
    purl: `pkg:deb/debian/musl-dev@${encodeURIComponent(version)}?arch=amd64`,
    licenceFiles: ['/usr/share/doc/musl-dev/copyright'],
  };
}

/** The npm packages that have code in the bundle, which `modules` lists file by file. */
export function bundledPackages(modules: readonly string[]): Component[] {
  const directories = new Set(
    modules.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path),
  );
  return [...directories].sort().map((directory) => {
    const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
      license?: string;
    };
    if (license === undefined) throw new PackagingFault(`${directory}/package.json names no licence`);
    return {
      name,
      version,
      license,
      purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      licenceFiles: readdirSync(directory)
        .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
        .map((file) => join(directory, file)),
    };
  });
}

export function writeSbom(path: string, parts: Parts, { version, epoch }: PackageOptions): void {
  const components = parts.components.map(({ name, version, license, purl }) => ({
    type: name === 'node' ? 'application' : 'library',
    'bom-ref': purl,
    name,
    version,
    licenses: [/ (WITH|OR|AND) /.test(license) ? { expression: license } : { license: { id: license } }],
    purl,
    ...(name === 'node' && { hashes: [{ alg: 'SHA-256', content: sha256Of(parts.runtime.node) }] }),
  }));
  const purl = `pkg:generic/ktc-agent@${version}`;
  const sbom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([version, epoch, components]))}`,
    version: 1,
    metadata: {
      timestamp: new Date(epoch * 1000).toISOString(),
      component: {
        type: 'application',
        'bom-ref': purl,
        name: 'ktc-agent',
        version,
        purl,
        licenses: [{ license: { id: 'MIT' } }],
      },
    },
    components,
    dependencies: [{ ref: purl, dependsOn: components.map((component) => component.purl) }],
  };
  writeFileSync(path, `${JSON.stringify(sbom, null, 2)}\n`);
}

/** A UUID (version 8, RFC 9562) that the same input has again. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
