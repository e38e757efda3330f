/** TLS from PEM files, the same for every sink that speaks it. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

/** PEM files, read at every connect, so that renewed certificates are used. */
export interface TlsFiles {
  /** Null trusts the authorities of Node.js. */
  readonly caFile: string | null;
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
}

/** Throws the system's error of a file that cannot be read. */
export function readTlsFiles({ caFile, certificateFile, keyFile }: TlsFiles): ConnectionOptions {
  return {
    ...(caFile !== null && { ca: readFileSync(caFile) }),
    ...(certificateFile !== null && { cert: readFileSync(certificateFile) }),
    ...(keyFile !== null && { key: readFileSync(keyFile) }),
  };
}

/** Whether a failed connection tells of certificates that are not trusted, not readable or no certificates. */
export function isTlsSetting(failure: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|certificate|PEM routines|(ENOENT|EACCES).* open/.test(failure);
}
