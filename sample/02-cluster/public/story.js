/** Which step of the story comes next, by the state of the instances. */
export function stepOf({ watched, instances }) {
  const b = instances.find(({ name }) => name === 'B');
  if (watched === null) return 0;
  if (watched.loggedOutAt === null) return b?.state === 'paused' ? 2 : 1;
  return b?.state === 'paused' ? 3 : 4;
}

/**
 * The whole story, with time to look in between.
 *
 * @param {(path: string) => Promise<void>} press
 * @param {() => object} see - The last tick.
 */
export async function play(press, see) {
  if (see().watched !== null && see().watched.loggedOutAt === null) {
    await press('instances/A/logout');
  }
  await press('instances/A/login');
  await wait(4_000);
  await press('instances/B/pause');
  await wait(1_500);
  await press('instances/A/logout');
  const isOver = ({ now, watched, maxStaleness }) =>
    now > (watched.loggedOutAt ?? now) + maxStaleness + 1_500;
  while (!isOver(see())) await wait(100);
  await press('instances/B/resume');
}

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
