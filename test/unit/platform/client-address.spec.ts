import { expect, it } from '@jest/globals';
import { addressOf, networkOf } from '../../../lib/platform/client-address.js';

it.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::FFFF:cb00:7107', '203.0.113.7'],
  ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
  ['2001:DB8::0:1', '2001:db8::1'],
  ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::1', '::1'],
  ['203.0.113.7:443', null],
  ['203.0.113', null],
  ['unknown', null],
  ['', null],
])('%s is the address %s', (ip, address) => {
  expect(addressOf(ip)).toBe(address);
});

it.each([
  ['203.0.113.7', '203.0.113.0'],
  ['::ffff:203.0.113.7', '203.0.113.0'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'],
  ['2001:db8::6', '2001:db8:0:0::'],
  ['::1', '0:0:0:0::'],
  ['nonsense', null],
])('%s is in the network %s', (ip, network) => {
  expect(networkOf(ip, 3, 4)).toBe(network);
});
