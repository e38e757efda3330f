/** How many batches a delivery sends at a time: half after a fault, one more per window of batches that went well. */
import { expect, test } from 'vitest';
import { ACKNOWLEDGED, retryAll } from '../../../src/sink/sink.ts';
import { createDeliveryFixture, type DeliveryFixture, pass, useFakeClock } from './delivery/fixture.ts';

const BACK_OFF_MS = 50;

useFakeClock();

/** A delivery that always has more to send than it may. */
async function openBusyFixture(maxInFlight: number): Promise<DeliveryFixture> {
  const fixture = createDeliveryFixture({ maxInFlight });
  const opened = fixture.delivery.open();
  await fixture.answerOpen();
  await opened;
  for (let event = 0; event < 100; event++) await fixture.append(`event ${event}`);
  return fixture;
}

const windowOf = ({ delivery }: DeliveryFixture) => delivery.status().window;

/** The oldest batch in flight fails once. It is sent again, behind the others, after `BACK_OFF_MS`. */
async function failOldest(fixture: DeliveryFixture): Promise<void> {
  await fixture.sending().answer(retryAll('broker is gone', BACK_OFF_MS));
}

/** The sink acknowledges everything in flight, until no batch is tried again any more. */
async function recover(fixture: DeliveryFixture): Promise<void> {
  await pass(BACK_OFF_MS);
  while (fixture.delivery.status().state === 'retrying') await fixture.sending().answer(ACKNOWLEDGED);
}

test('a delivery begins with the widest window, and fills it', async () => {
  const fixture = await openBusyFixture(8);
  expect(windowOf(fixture)).toBe(8);
  expect(fixture.sink.sending).toHaveLength(8);
});

test('every fault halves the window, down to one batch', async () => {
  const fixture = await openBusyFixture(16);
  const windows: number[] = [];
  for (let fault = 0; fault < 6; fault++) {
    await failOldest(fixture);
    windows.push(windowOf(fixture));
  }
  expect(windows).toEqual([8, 4, 2, 1, 1, 1]);
});

test('a fault while the sink is opened halves the window too', async () => {
  const fixture = createDeliveryFixture({ maxInFlight: 8, retryMaxMs: 0 });
  const opened = fixture.delivery.open();
  await fixture.answerOpen({ problem: 'no broker answers', mayPass: true });
  expect(windowOf(fixture)).toBe(4);
  await pass(BACK_OFF_MS);
  await fixture.answerOpen();
  await opened;
});

test('after a fault no more batches are in flight than the narrower window has room for', async () => {
  const fixture = await openBusyFixture(8);
  await failOldest(fixture);
  await recover(fixture);
  const { window, state } = fixture.delivery.status();
  expect(state).toBe('ready');
  expect(window).toBeLessThan(8);
  expect(fixture.sink.sending).toHaveLength(window);
});

test('a narrowed window grows by one batch per window of acknowledged batches, up to the widest', async () => {
  const fixture = await openBusyFixture(5);
  // To 2.5, and then to 1.25.
  await failOldest(fixture);
  await failOldest(fixture);
  await pass(BACK_OFF_MS);
  const acknowledgedAt = new Map<number, number>();
  for (let acknowledged = 0; acknowledged < 30; acknowledged++) {
    const window = windowOf(fixture);
    if (!acknowledgedAt.has(window)) acknowledgedAt.set(window, acknowledged);
    await fixture.sending().answer(ACKNOWLEDGED);
  }
  // 1.25, 2.05, 2.54, 2.93, 3.27, 3.58, 3.86, 4.12, 4.36, 4.59, 4.81, 5.
  expect([...acknowledgedAt]).toEqual([
    [1, 0],
    [2, 1],
    [3, 4],
    [4, 7],
    [5, 11],
  ]);
  expect(fixture.sink.sending).toHaveLength(5);
});
