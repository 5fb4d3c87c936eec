import { isIPv4, isIPv6 } from 'node:net';

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * The canonical form of an IP address, or `null` for any other text. An IPv4-mapped IPv6 address
 * (`::ffff:203.0.113.7`) becomes the IPv4 address, because proxies use both forms for the same
 * client.
 */
export function addressOf(ip: string): string | null {
  const [address = ''] = ip.split('%', 1);
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return null;
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = MAPPED.exec(text) ?? [];
  if (high === undefined || low === undefined) return text;
  return [high, low]
    .map((group) => Number.parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 255])
    .join('.');
}

/**
 * The network of an IP address, or `null` for any other text.
 *
 * @param numbers - How many of the four numbers of an IPv4 address are kept.
 * @param groups - How many of the eight 16-bit groups of an IPv6 address are kept.
 */
export function networkOf(ip: string, numbers: number, groups: number): string | null {
  const address = addressOf(ip);
  if (address === null) return null;
  if (isIPv4(address)) {
    const parts = address.split('.');
    return parts.map((part, i) => (i < numbers ? part : '0')).join('.');
  }
  const [head = [], tail = []] = address
    .split('::', 2)
    .map((half) => half.split(':').filter(Boolean));
  const zeros = address.includes('::')
    ? Array<string>(8 - head.length - tail.length).fill('0')
    : [];
  return `${[...head, ...zeros, ...tail].slice(0, groups).join(':')}::`;
}
