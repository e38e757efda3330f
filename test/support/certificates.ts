/** Certificates for tests of TLS, made by openssl in a directory of their own. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TestCertificates {
  /** The authority's certificate. */
  readonly authority: string;
  /** Certificate, key, and both in one file, for 127.0.0.1. */
  readonly broker: { certificate: string; key: string; both: string };
  readonly client: { certificate: string; key: string };
}

/** Paths of PEM files below `directory`, valid for two days. */
export function makeCertificates(directory: string): TestCertificates {
  const path = (name: string) => join(directory, name);
  const make = (name: string, more: readonly string[]) => {
    const [key, certificate] = [path(`${name}.key`), path(`${name}.pem`)];
    const subject = ['-subj', `/CN=ktc-test-${name}`, '-days', '2'];
    const pair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];
    const files = ['-keyout', key, '-out', certificate];
    execFileSync('openssl', ['req', '-x509', ...pair, ...subject, ...files, ...more], { stdio: 'pipe' });
    return { key, certificate };
  };
  const authority = make('authority', []);
  const signed = ['-CA', authority.certificate, '-CAkey', authority.key];
  const broker = make('broker', [...signed, '-addext', 'subjectAltName=IP:127.0.0.1']);
  const both = path('broker-both.pem');
  writeFileSync(both, readFileSync(broker.key, 'utf8') + readFileSync(broker.certificate, 'utf8'));
  return { authority: authority.certificate, broker: { ...broker, both }, client: make('client', signed) };
}

/** The broker's certificate again, by the same authority and for the same key, but expired. */
export function makeExpiredCertificate(directory: string, { authority, broker }: TestCertificates): string {
  const [request, certificate] = [join(directory, 'expired.csr'), join(directory, 'expired.pem')];
  const openssl = (...words: string[]) => execFileSync('openssl', words, { stdio: 'pipe' });
  const name = ['-subj', '/CN=ktc-test-expired', '-addext', 'subjectAltName=IP:127.0.0.1'];
  openssl('req', '-new', '-key', broker.key, ...name, '-out', request);
  const signed = [
    '-CA',
    authority,
    '-CAkey',
    authority.replace(/pem$/, 'key'),
    '-copy_extensions',
    'copyall',
  ];
  openssl('x509', '-req', '-in', request, ...signed, '-days', '-1', '-out', certificate);
  return certificate;
}
