/**
 * A value that came from JSON in the one spelling of RFC 8785 (JCS): no blanks, members in the order of
 * their UTF-16 code units, numbers and strings as ECMAScript writes them.
 *
 * @throws RangeError for what the RFC does not allow: a number that is not finite, a lone surrogate.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new RangeError('A number of the JSON text is out of range.');
  }
  if (typeof value === 'string' && !value.isWellFormed()) {
    throw new RangeError('A string of the JSON text has a lone surrogate.');
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.keys(value)
    .toSorted()
    .map((name) => `${canonicalJson(name)}:${canonicalJson(Reflect.get(value, name))}`);
  return `{${members.join(',')}}`;
}
