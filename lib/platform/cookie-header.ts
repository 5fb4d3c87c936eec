const EQUALS = 0x3d;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * The values of one cookie in a `Cookie` header, as they stand there: usually one. More than one says
 * that another host of the same site has set a cookie of that name too.
 *
 * Linear, and blind to every other cookie: nothing is decoded and nothing is collected by a name that
 * the sender chose.
 */
export function cookieValues(header: string, name: string): string[] {
  const values: string[] = [];
  for (let start = 0; start < header.length;) {
    const semicolon = header.indexOf(';', start);
    const end = semicolon < 0 ? header.length : semicolon;
    const from = afterBlanks(header, start, end);
    const equals = from + name.length;
    if (equals < end && header.charCodeAt(equals) === EQUALS && header.startsWith(name, from)) {
      const value = header.slice(equals + 1, beforeBlanks(header, equals + 1, end));
      if (value !== '') values.push(value);
    }
    start = end + 1;
  }
  return values;
}

function afterBlanks(text: string, start: number, end: number): number {
  let index = start;
  while (index < end && isBlank(text.charCodeAt(index))) index += 1;
  return index;
}

function beforeBlanks(text: string, start: number, end: number): number {
  let index = end;
  while (index > start && isBlank(text.charCodeAt(index - 1))) index -= 1;
  return index;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
