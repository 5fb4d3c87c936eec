// Control, format (bidi marks, zero width, byte order mark), line and paragraph separators, lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * A text that somebody else chose, as it may go into a line of a log: without characters that start
 * a new line, colour a terminal or turn the direction of what follows, and cut off.
 *
 * @param length - The longest text that is shown whole, in characters.
 */
export function logText(text: string, length = 80): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return cut.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}
