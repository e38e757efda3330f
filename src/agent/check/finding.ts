/** One answer of `ktc check`. */
export interface Finding {
  readonly name: string;
  /** `warning`: the agent runs, but without this. */
  readonly verdict: 'ok' | 'warning' | 'failed';
  /** One line: what was found, or what is missing and how to get it. */
  readonly detail: string;
}

export const ok = (name: string, detail: string): Finding => ({ name, verdict: 'ok', detail });
export const failed = (name: string, detail: string): Finding => ({ name, verdict: 'failed', detail });
export const warning = (name: string, detail: string): Finding => ({ name, verdict: 'warning', detail });
