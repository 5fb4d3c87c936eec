import type { AuthKey } from '../../options/auth-key.js';
import { signRaw } from '../raw-signature.js';

type Members = Record<string, unknown>;
type SigningKey = AuthKey & { readonly sign: NonNullable<AuthKey['sign']> };

/**
 * For the boot self-test: a good token of the passport recipe, and a bad one for each rule that holds
 * for those.
 *
 * @param own - A key of the ring, if one signs; `claims` those of a good token of ours.
 */
export function legacySamples(
  key: AuthKey,
  own: SigningKey | undefined,
  { iat, exp, ...claims }: Members,
): [good: string, bad: [rule: string, token: string][]] {
  const secret = { ...key, sign: key.verify };
  const head = { alg: 'HS256', typ: 'JWT' };
  const body = { sub: 1, iat, exp };
  const signed = (top: Members, members: Members, by: SigningKey = secret): string =>
    signRaw(by, JSON.stringify(top), JSON.stringify(members));
  const good = signed(head, body);
  const bad: [string, string][] = [
    ['JW-01', signed({ ...head, alg: 'none' }, body)],
    ['JW-01', signed({ ...head, alg: 'HS512' }, body, { ...secret, alg: 'HS512' })],
    ['JW-01', `${good.slice(0, good.lastIndexOf('.'))}.${'A'.repeat(43)}`],
    ['JW-03', signed({ ...head, crit: ['exp'] }, body)],
    ['JW-05', signed({ ...head, typ: 'at+jwt' }, { ...claims, iat, exp })],
    ['JW-07', signed(head, { ...body, exp: undefined })],
    ['JW-07', signed(head, { ...body, sub: undefined })],
    ['JW-08', signed(head, { ...body, iss: `${String(claims['iss'])}.` })],
    ['JW-09', signed({ ...head, kid: key.kid }, body)],
    ['JW-13', signed(head, { ...body, iat: 0, exp: 1 })],
  ];
  if (own?.alg === 'HS256' && !own.verify.equals(key.verify)) {
    bad.push(['JW-09', signed(head, body, own)]);
  }
  return [good, bad];
}
