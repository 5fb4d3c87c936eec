import { isIPv4, isIPv6 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * The network of an address, or `null` for text that is not an address.
 *
 * @param numbers - How many of the four of an IPv4 address count.
 * @param groups - How many of the eight of an IPv6 address count, 16 bits each.
 */
export function networkOf(ip: string, numbers: number, groups: number): string | null {
  const address = MAPPED.exec(ip)?.[1] ?? ip.split('%', 1)[0] ?? '';
  if (isIPv4(address)) {
    const parts = address.split('.');
    return parts.map((part, i) => (i < numbers ? part : '0')).join('.');
  }
  if (!isIPv6(address)) return null;
  const [head = [], tail = []] = address.split('::', 2).map((half) => half.split(':'));
  const given = head[0] === '' ? [] : head;
  const zeros = address.includes('::') ? Array<string>(8).fill('0') : [];
  const known = zeros.slice(given.length + tail.filter(Boolean).length);
  return `${[...given, ...known, ...tail]
    .slice(0, groups)
    .map((group) => Number.parseInt(group || '0', 16).toString(16))
    .join(':')}::`;
}
