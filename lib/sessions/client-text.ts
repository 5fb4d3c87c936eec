const LONGEST = 255;

/** What a client says of itself, as it can be stored: cut, well-formed, without NUL. */
export function cut(text: string | undefined): string | null {
  if (text === undefined) return null;
  // Cut by characters, not in the middle of one, and by what a column can hold.
  const clean = text.replaceAll('\0', '').toWellFormed();
  return clean === '' ? null : clean.slice(0, LONGEST).toWellFormed();
}
