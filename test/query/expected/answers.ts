/** What each question of query/clickhouse has to answer, counted from the events without any SQL. */
import { connectionAnswers } from './connections.ts';
import { type Facts, sorted, type Truth } from './facts.ts';
import { hostAnswers } from './hosts.ts';
import { proofAnswers } from './proof.ts';
import { resetAnswers } from './resets.ts';
import { retransmitAnswers } from './retransmits.ts';
import { sumAnswers } from './sums.ts';

/** By the name of the question. Rounded numbers are compared with a tolerance. */
export function expectedAnswers(facts: Facts): Readonly<Record<string, Truth>> {
  const all = sorted(facts);
  return {
    ...retransmitAnswers(all),
    ...connectionAnswers(all),
    ...resetAnswers(all),
    ...hostAnswers(all),
    ...proofAnswers(all),
    ...sumAnswers(all),
  };
}
