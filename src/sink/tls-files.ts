/** TLS with PEM files, the same for every sink that uses TLS. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

/** PEM files. They are read for each new connection, so that renewed certificates are used. */
export interface TlsFiles {
  /** Null trusts the authorities of Node.js. */
  readonly caFile: string | null;
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
}

/**
 * What a connection needs of the files. Throws the system's error for a file that cannot be read. src/shared/connect.ts adds
 * what is the same for every connection: that the certificate is checked, and for which name.
 */
export function readTlsFiles({ caFile, certificateFile, keyFile }: TlsFiles): ConnectionOptions {
  return {
    ...(caFile !== null && { ca: readFileSync(caFile) }),
    ...(certificateFile !== null && { cert: readFileSync(certificateFile) }),
    ...(keyFile !== null && { key: readFileSync(keyFile) }),
  };
}

/** Whether a connection failed because of a certificate: not trusted, not readable, or not a certificate at all. */
export function isTlsSetting(failure: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|certificate|PEM routines|(ENOENT|EACCES).* open/.test(failure);
}

/**
 * The message of a failed connection without the advice to run Node.js with an option, which nobody does who runs the
 * agent. Node.js 24 and newer give it once per process.
 */
export function withoutNodeAdvice(failure: string): string {
  return failure.replace(/; if the root CA is installed locally, try running Node\.js with \S+$/, '');
}
