import { AuthEvents } from 'nestjs-logout';
import type { Instance } from '../../support/instance.js';

/** What an instance reports about lost histories from here on. */
export function tellsOf(instance: Instance): { readonly lost: (number | undefined)[] } {
  const lost: (number | undefined)[] = [];
  instance.app.get(AuthEvents).subscribe((event) => {
    if (event.type === 'history_lost') lost.push(event.lost);
  });
  return { lost };
}
