import { describe, expect, it } from '@jest/globals';
import { cut, storedClientOf } from '../../../lib/sessions/session-store.service.js';

describe('what is stored about a client', () => {
  it.each([
    ['192.0.2.77', '192.0.2.0'],
    ['::ffff:192.0.2.77', '192.0.2.0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
    ['2001:DB8::1', '2001:db8:0::'],
    ['fe80::1%eth0', 'fe80:0:0::'],
    ['::1', '0:0:0::'],
    ['::', '0:0:0::'],
    ['example.org', null],
    ["1.2.3.4' OR 1", null],
    [undefined, null],
  ])('the address %j is stored as %j', (given, kept) => {
    expect(storedClientOf({ ip: given }).ip).toBe(kept);
  });

  it.each([
    ['Browser/1.0', 'Browser/1.0'],
    ['', null],
    ['a\0b', 'ab'],
    ['\ud800', '\ufffd'],
    ['x'.repeat(300), 'x'.repeat(255)],
    [`${'x'.repeat(254)}😀`, `${'x'.repeat(254)}\ufffd`],
    [undefined, null],
  ])('texts of a client are stored cut and cleaned', (given, kept) => {
    expect(cut(given)).toBe(kept);
  });
});
