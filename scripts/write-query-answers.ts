/** Writes the answers of the made fleet into the comments of query/clickhouse/questions: run it after a question has changed. */
import { writeFileSync } from 'node:fs';
import { answerLines } from '../test/support/chdb/answer-lines.ts';
import { startEngine } from '../test/support/chdb/engine.ts';
import { AS_NUMBERS, KEEP_ALL } from '../test/support/chdb/http.ts';
import { isOfFleet, loadFleet, parametersOf, questions } from '../test/support/chdb/questions.ts';
import { FLEET_START_MS } from '../test/support/fleet-truth/fleet.ts';

const engine = await startEngine('26.9');
try {
  await engine.apply(...KEEP_ALL);
  const fleet = await loadFleet(engine, { events: 100_000, startMs: FLEET_START_MS });
  for (const question of questions().filter(isOfFleet)) {
    const rows = await engine.rows(question.sql, parametersOf(question, fleet), AS_NUMBERS);
    const bare = question.sql.replace(/^-- Answer.*\n(-- {2}.*\n)*/m, '');
    const answer = `${answerLines(rows)}\n`;
    // Behind the comment that says how to read it.
    writeFileSync(question.file, bare.replace(/^(?!--)/m, answer));
  }
} finally {
  await engine.stop();
}
