/** What one instance tells the others: how far it has written the log. */
export interface HintMessage {
  /** Who tells it, so that an echo is known as one. */
  readonly instance: string;
  readonly position: number;
}

const FORM = /^([0-9a-f]{16}):(0|[1-9]\d{0,15})$/;

/** The text of a message; {@link readHint} backwards. */
export function writeHint({ instance, position }: HintMessage): string {
  return `${instance}:${position}`;
}

/** `undefined` for whatever is not exactly of the form: anybody may write to the channel. */
export function readHint(payload: unknown): HintMessage | undefined {
  // By its length first: a channel may carry megabytes.
  if (typeof payload !== 'string' || payload.length > 33) return undefined;
  const [, instance, digits] = FORM.exec(payload) ?? [];
  if (instance === undefined) return undefined;
  const position = Number(digits);
  return Number.isSafeInteger(position) ? { instance, position } : undefined;
}
