/** One sentence of a report. */
export interface Headline {
  /** Stays the same between versions, for scripts. */
  readonly id: string;
  /** `bad`: somebody should act; `watch`: somebody should look; `good`: nothing to do; `note`: to be known. */
  readonly level: 'bad' | 'watch' | 'good' | 'note';
  /** One sentence, which stands for itself. */
  readonly text: string;
  /** The numbers and names of the sentence, for scripts. */
  readonly facts: Readonly<Record<string, string | number | null | readonly string[]>>;
}
