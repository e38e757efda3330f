/**
 * Variables of the environment that steer Node.js, OpenSSL or HTTP clients. None of them steers the agent: what protects
 * its connections is in its configuration, wherever it is started. It says so where one is set.
 */
import type { AgentConfig } from '../config/schema.ts';

/** They load code, write files, print headers of requests, or make a part of another program of the process. */
const RUNTIME = [
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'NODE_CLUSTER_SCHED_POLICY',
  'NODE_COMPILE_CACHE',
  'NODE_COMPILE_CACHE_PORTABLE',
  'NODE_COMPILE_CACHE_READONLY',
  'NODE_DEBUG',
  'NODE_DEBUG_NATIVE',
  'NODE_DISABLE_COLORS',
  'NODE_DISABLE_COMPILE_CACHE',
  'NODE_ICU_DATA',
  'NODE_INSPECT_RESUME_ON_START',
  'NODE_NO_READLINE',
  'NODE_NO_WARNINGS',
  'NODE_OPTIONS',
  'NODE_PATH',
  'NODE_PENDING_DEPRECATION',
  'NODE_PENDING_PIPE_INSTANCES',
  'NODE_PRESERVE_SYMLINKS',
  'NODE_PRESERVE_SYMLINKS_MAIN',
  'NODE_REDIRECT_WARNINGS',
  'NODE_REPL_EXTERNAL_MODULE',
  'NODE_REPL_HISTORY',
  'NODE_SKIP_PLATFORM_CHECK',
  'NODE_TEST_CONTEXT',
  'NODE_TEST_WORKER_ID',
  'NODE_UNIQUE_ID',
  'NODE_V8_COVERAGE',
  'KAFKAJS_DEBUG_PROTOCOL_BUFFERS',
  'KAFKAJS_DEBUG_EXTENDED_PROTOCOL_BUFFERS',
];
/** They decide which certificates are trusted, or write the keys of connections into a file. */
const TRUST = [
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_USE_SYSTEM_CA',
  'OPENSSL_CONF',
  'OPENSSL_ENGINES',
  'OPENSSL_MODULES',
  'SSLKEYLOGFILE',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
];
const PROXY_SWITCH = 'NODE_USE_ENV_PROXY';

/** The launcher takes them out before Node.js starts, and its children do not have them either. */
export const CLEARED_VARIABLES: readonly string[] = [...RUNTIME, ...TRUST, PROXY_SWITCH];
/** In which the launcher names those that were set, with spaces between them. */
export const CLEARED_NAMES = 'CLEARED_BY_KTC';

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]);

/** One line for each kind of variable that is set and has no effect. */
export function environmentNotes(environment: NodeJS.ProcessEnv, { sink }: AgentConfig): string[] {
  const cleared = (environment[CLEARED_NAMES] ?? '').split(' ');
  const isSet = (name: string) => cleared.includes(name) || Boolean(environment[name]);
  const note = (names: readonly string[], why: string) => {
    const found = names.filter(isSet);
    return found.length === 0
      ? []
      : [`${found.join(', ')} in the environment: no effect on the agent; ${why}`];
  };
  return [
    ...note(RUNTIME, 'Node.js is started without'),
    ...(sink.kafka.enabled || sink.otlp.enabled
      ? [
          ...note(
            TRUST,
            'certificates are always checked, and sink.*.tls.ca_file names the authorities to trust',
          ),
          ...note([...PROXIES, PROXY_SWITCH], 'sinks connect directly, not through a proxy'),
        ]
      : []),
  ];
}
