import { expect, it } from 'vitest';
import { DATA_MARK, pageOf } from '../../../src/report/page.ts';
import { createTestAgent } from './events.ts';
import { reportOf } from './make.ts';

it('the data in the page is the model, and no name in it is markup', async () => {
  const name = '</script><script>alert(1)</script><!--$&\u2028';
  const agent = createTestAgent({ name, address: '10.0.0.1', labels: { rack: name } });
  const model = await reportOf([agent.status(0), agent.retransmit(1, name)]);
  const page = pageOf(`<script id="model">${DATA_MARK}</script>`, model);
  const data = page.slice('<script id="model">'.length, -'</script>'.length);
  expect(data).not.toMatch(/[<\u2028]/);
  expect(JSON.parse(data)).toEqual(model);
  expect(model.hosts.rows[0]).toMatchObject({ host: name, rack: name });
});
