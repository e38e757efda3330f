/** The part of the agent's logger that a sink uses. A logger of pino has it. */
export interface SinkLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
