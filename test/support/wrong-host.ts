import { AuthClock } from 'nestjs-logout';

/** A host whose wall clock is off (ms); the database keeps its own real time. */
export class WrongHost extends AuthClock {
  constructor(private readonly offset: number) {
    super();
  }

  override wall(): number {
    return Date.now() + this.offset;
  }
}
