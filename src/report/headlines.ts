/** The sentences of a report: what somebody would write to a colleague who has to act. */
import { accountHeadlines } from './headlines/account.ts';
import { connectionHeadlines } from './headlines/connections.ts';
import type { Headline } from './headlines/headline.ts';
import { retransmitHeadlines } from './headlines/retransmits.ts';
import type { ReportModel } from './model.ts';
import type { View } from './view.ts';

const LEVELS = ['bad', 'watch', 'note', 'good'];

/** What asks for action first; then by subject: retransmits, connections, the input itself. */
export function headlinesOf(model: ReportModel, view: View): Headline[] {
  const headlines = [
    ...retransmitHeadlines(model, view),
    ...connectionHeadlines(model, view),
    ...accountHeadlines(model),
  ];
  return headlines.sort((one, other) => LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level));
}
