/** The ledger's account as lines of text for people. */
import { escapeControls, grouped } from '../shared/text.ts';
import { type Ledger, total } from './ledger.ts';

type Term = readonly [name: string, value: number];

const LABEL_WIDTH = 10;

/** The ledger's equations with their numbers, and what was filtered, suppressed, refused, dropped and lost, by reason. */
export function accountLines(ledger: Ledger): string[] {
  const { read, decoded, malformed, derived, emitted, filtered, suppressed, held } = ledger;
  return [
    equation(
      'records',
      [['read', read]],
      [
        ['decoded', decoded],
        ['malformed', malformed],
      ],
    ),
    equation(
      'events',
      [
        ['decoded', decoded],
        ['derived', derived],
      ],
      [
        ['emitted', emitted],
        ['filtered', total(filtered)],
        ['suppressed', total(suppressed)],
        ['held', held],
      ],
    ),
    ...sinkEquations(ledger),
    ...reasonLines(ledger),
  ].map((line) => escapeControls(line));
}

/** What became of the events of each sink, where no kernel records were read. */
export function sinkAccountLines(ledger: Ledger): string[] {
  return [...sinkEquations(ledger), ...sinkReasonLines(ledger)].map((line) => escapeControls(line));
}

function sinkEquations({ emitted, sinks }: Ledger): string[] {
  return Object.entries(sinks).map(([name, sink]) =>
    equation(
      name,
      [['emitted', emitted], ...(sink.recovered > 0 ? [['recovered', sink.recovered] as const] : [])],
      [
        ['delivered', sink.delivered],
        ['rejected', total(sink.rejected)],
        ['dropped', total(sink.dropped)],
        ['queued', sink.queued],
        ['spooled', sink.spooled],
        ['in flight', sink.in_flight],
      ],
    ),
  );
}

/** One side by side with the other, and a mark where they are not the same. */
function equation(label: string, left: readonly Term[], right: readonly Term[]): string {
  const side = (terms: readonly Term[]) =>
    terms.map(([name, value]) => `${name} ${grouped(value)}`).join(' + ');
  const sum = (terms: readonly Term[]) => terms.reduce((all, [, value]) => all + value, 0);
  const difference = sum(left) - sum(right);
  return difference === 0
    ? labelled(label, `${side(left)} = ${side(right)}`)
    : labelled(label, `${side(left)} != ${side(right)}   <-- DIFFERS BY ${grouped(Math.abs(difference))}`);
}

function reasonLines(ledger: Ledger): string[] {
  const { filtered, suppressed, lost } = ledger;
  return [
    ...countLines('filtered', filtered),
    ...countLines('suppressed', suppressed),
    ...sinkReasonLines(ledger),
    ...(total(lost) === 0 ? [labelled('lost', 'nothing')] : countLines('lost', lost)),
  ];
}

function sinkReasonLines({ sinks }: Ledger): string[] {
  return Object.entries(sinks).flatMap(([name, sink]) => [
    ...countLines(name, sink.rejected, 'rejected: '),
    ...countLines(name, sink.dropped, 'dropped: '),
  ]);
}

function countLines(label: string, counts: Readonly<Record<string, number>>, what = ''): string[] {
  const said = Object.entries(counts)
    .filter(([, amount]) => amount > 0)
    .map(([reason, amount]) => `${reason} ${grouped(amount)}`);
  return said.length === 0 ? [] : [labelled(label, what + said.join(', '))];
}

export function labelled(label: string, said: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${label.length < LABEL_WIDTH ? '' : ' '}${said}`.trimEnd();
}
