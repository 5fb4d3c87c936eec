import { isIPv4, isIPv6 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * An address without what names one household: IPv4 without its last number, IPv6 by its first 48
 * bits. What is no address is not kept at all.
 */
export function truncateAddress(ip: string | undefined): string | null {
  if (ip === undefined) return null;
  const address = MAPPED.exec(ip)?.[1] ?? ip.split('%', 1)[0] ?? '';
  if (isIPv4(address)) return `${address.split('.').slice(0, 3).join('.')}.0`;
  if (!isIPv6(address)) return null;
  const [head = '', tail] = address.split('::', 2);
  const given = head === '' ? [] : head.split(':');
  const missing =
    tail === undefined ? 0 : 8 - given.length - (tail === '' ? 0 : tail.split(':').length);
  const groups = [...given, ...Array<string>(missing).fill('0'), ...(tail?.split(':') ?? [])];
  return `${groups
    .slice(0, 3)
    .map((group) => (group === '' ? '0' : group).toLowerCase())
    .join(':')}::`;
}
