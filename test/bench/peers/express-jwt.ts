import { createSecretKey, type KeyObject, randomUUID } from 'node:crypto';
import type { Blacklist } from '../guard/blacklist.js';
import { loadPeer } from './install.js';
import type { Peer } from './peer.js';

/** The used part of express-jwt. */
interface ExpressJwt {
  readonly expressjwt: (options: {
    readonly secret: string | KeyObject;
    readonly algorithms: readonly string[];
    readonly isRevoked: (
      request: unknown,
      token: { readonly payload: { readonly jti: string } } | undefined,
    ) => Promise<boolean>;
  }) => NonNullable<Peer['middleware']>;
}

/** As many as the tables of the other peers hold. */
const REVOKED = 100_000;

/** express-jwt with `isRevoked`, which each of its users writes: over a `Map`, and over the given stores. */
export async function expressJwt(
  secret: string,
  stores: readonly (Blacklist & { readonly label: string })[],
): Promise<Peer[]> {
  const library = await loadPeer<ExpressJwt>('express-jwt');
  if (library === undefined) return [];
  const revoked = new Map(Array.from({ length: REVOKED }, () => [randomUUID() as string, true]));
  const peer = (
    name: string,
    asks: string,
    key: string | KeyObject,
    isRevoked: Blacklist['isRevoked'],
  ): Peer => ({
    name: `express-jwt-${name}`,
    label: `express-jwt + ${asks}`,
    middleware: library.expressjwt({
      secret: key,
      algorithms: ['HS256'],
      isRevoked: async (_, token) => isRevoked(token?.payload.jti ?? ''),
    }),
  });
  const inMap = async (jti: string): Promise<boolean> => revoked.has(jti);
  return [
    peer('map', 'Map', secret, inMap),
    peer('map-key', 'Map, with a KeyObject', createSecretKey(secret, 'utf8'), inMap),
    ...stores.map(({ name, label, isRevoked }) => peer(name, label, secret, isRevoked)),
  ];
}
