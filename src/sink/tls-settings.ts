/** The section `tls` of a sink: its keys, their checks, and the files that they name. */
import { type CrossCheck, unreadable } from '../setting/cross-check.ts';
import { key } from '../setting/key.ts';
import { filePath, optional, secretPath } from '../setting/kind.ts';
import { readSecret } from '../setting/secret.ts';
import type { Values } from '../setting/section.ts';
import type { TlsFiles } from './tls-files.ts';

/** `who` asks for a certificate, as in "brokers ask". */
export function tlsKeys(who: string) {
  return {
    ca_file: key(optional(filePath), {
      default: '',
      doc: 'PEM file of the certificate authorities to trust. Empty trusts those of Node.js.',
    }),
    certificate_file: key(optional(filePath), {
      default: '',
      doc: `PEM file of the agent's own certificate, if ${who} for one. It also needs \`key_file\`.`,
    }),
    key_file: key(optional(secretPath), {
      default: '',
      doc: 'PEM file of the key of that certificate, mode 0600 or narrower. The agent reads it again at each new connection, so it must be owned by `process.user`, or, if that is empty, by the user who starts the agent.',
    }),
  };
}

export type TlsValues = Values<ReturnType<typeof tlsKeys>>;

export function tlsFilesOf({ ca_file, certificate_file, key_file }: TlsValues): TlsFiles {
  const orNull = (path: string) => (path === '' ? null : path);
  return { caFile: orNull(ca_file), certificateFile: orNull(certificate_file), keyFile: orNull(key_file) };
}

/**
 * Checks of the certificate files of a sink. `used` gives them where the sink and its TLS are on, which `switches`
 * decide.
 */
export function tlsChecks<Sink extends `sink.${string}`, Switch extends string, Config>(
  sink: Sink,
  switches: readonly Switch[],
  used: (config: Config) => TlsValues | null,
): CrossCheck<
  Config & { readonly process: { readonly user: string } },
  `${Sink}.tls.${keyof TlsValues}` | Switch | 'process.user'
>[] {
  const paths = {
    authority: `${sink}.tls.ca_file`,
    certificate: `${sink}.tls.certificate_file`,
    key: `${sink}.tls.key_file`,
  } as const;
  return [
    {
      reads: [paths.authority, ...switches],
      check: (config) => {
        const { ca_file = '' } = used(config) ?? {};
        return ca_file === '' ? null : unreadable(ca_file);
      },
    },
    {
      reads: [paths.certificate, paths.key, ...switches],
      check: (config) => {
        const { certificate_file = '', key_file = '' } = used(config) ?? {};
        if (certificate_file !== '') return unreadable(certificate_file);
        return key_file === '' ? null : `must be set when ${paths.key} is`;
      },
    },
    {
      reads: [paths.key, paths.certificate, ...switches, 'process.user'],
      check: (config) => {
        const { certificate_file = '', key_file = '' } = used(config) ?? {};
        if (key_file === '')
          return certificate_file === '' ? null : `must be set when ${paths.certificate} is`;
        const result = readSecret(key_file, config.process.user);
        return result.ok ? null : result.problem;
      },
    },
  ];
}
