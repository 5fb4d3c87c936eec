import type { Mutation } from './mutation.js';

const BINDING = 'binding/token-binding';
const PROOFS = 'binding/dpop-proofs';
const PROOF_TESTS = 'unit/binding';
const IP_TESTS = 'e2e/client-binding';
const DPOP_TESTS = 'e2e/dpop';
const TURNED_ON = 'cluster/sessions/options-turned-on';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name: `binding: ${name}`, edits: [{ file, find, replace }], tests };
}

/** What binds a token to its client (docs/binding.md). */
export const BINDING_MUTATIONS: readonly Mutation[] = [
  one(
    'a guard does not check the client',
    'authentication/jwt.strategy',
    'if (this.binding !== null && !demand.allowExpired)',
    'if (false)',
    IP_TESTS,
  ),
  one('another address is accepted', BINDING, 'if (!isSame)', 'if (false)', IP_TESTS),
  one(
    'the address is taken from X-Forwarded-For',
    'binding/client-request',
    '[opening.ip]',
    "[String(request.headers['x-forwarded-for'] ?? opening.ip).split(',')[0]]",
    IP_TESTS,
  ),
  one(
    'an unknown address is accepted',
    BINDING,
    'const isSame = address !== undefined &&',
    'const isSame = address === undefined ||',
    IP_TESTS,
  ),
  one(
    'a network is compared as an address',
    'binding/bound-address',
    "kind === 'exact' ? addressOf(ip) : networkOf(ip, 3, 4)",
    'addressOf(ip)',
    IP_TESTS,
  ),
  one(
    'a refresh does not check the address',
    'sessions/refresh.service',
    'this.binding?.checkAddress(session, context);',
    '',
    IP_TESTS,
  ),
  one(
    'a session whose key is gone is no longer bound',
    BINDING,
    'networkOf(ip, 3, 3) !== lastNetwork',
    'false',
    IP_TESTS,
  ),
  one(
    'a session from before the option is refreshed anywhere',
    BINDING,
    'if (network === null && lastNetwork === null)',
    'if (network === null)',
    TURNED_ON,
  ),
  one(
    'a thief who binds a session to an address is not found out',
    'sessions/refresh.service',
    'hasOtherKey || (this.binding?.isElsewhere(session, context) ?? false)',
    'hasOtherKey',
    TURNED_ON,
  ),
  one(
    'a refresh where the option is off unbinds a session',
    'sessions/rotate',
    'bound === undefined ? session : boundRowOf(session, bound)',
    'bound === undefined ? { jkt: null, network: null } : boundRowOf(session, bound)',
    TURNED_ON,
  ),
  one(
    'a phone is bound to its address',
    'options/binding-option',
    "{ ip: 'off', dpop }",
    '{ ip, dpop }',
    IP_TESTS,
  ),
  one('the time of a proof is not checked', PROOFS, "throw wrong('iat')", '', PROOF_TESTS),
  one('the method of a proof is not checked', PROOFS, "throw wrong('htm')", '', PROOF_TESTS),
  one(
    'the URL of a proof is not checked',
    PROOFS,
    "if (named !== url)\n                throw wrong('htu');",
    '',
    PROOF_TESTS,
  ),
  one('the token of a proof is not checked', PROOFS, "throw wrong('ath')", '', PROOF_TESTS),
  one(
    'a private key is accepted',
    PROOFS,
    'PRIVATE.some((name) => name in jwk)',
    'false',
    PROOF_TESTS,
  ),
  one('the type of a proof is not checked', PROOFS, "typ: 'dpop+jwt',", '', PROOF_TESTS),
  one('a proof is used twice', PROOFS, "if (remembered === 'seen')", 'if (false)', PROOF_TESTS),
  one(
    'proofs are forgotten to make room',
    PROOFS,
    'if (this.size >= this.most)',
    'if (false)',
    PROOF_TESTS,
  ),
  one(
    'a proof that was forgotten is accepted again after the clock is set back',
    PROOFS,
    'if (at <= this.forgotten)',
    'if (false)',
    PROOF_TESTS,
  ),
  one(
    'each guard of a request requires its own proof',
    BINDING,
    'if (earlier !== undefined)',
    'if (false)',
    'e2e/dpop-once',
  ),
  one(
    'a thief who binds a session is not noticed',
    'sessions/refresh.service',
    'sessionKey !== undefined && session.jkt !== jkt',
    'false',
    'e2e/dpop-once',
  ),
  one(
    'a thief who binds a session counts as its client',
    'sessions/refresh.service',
    'const key = this.binding?.retryKeyOf(session) ??',
    'const key = (bound?.jkt ? `dpop:${bound.jkt}` : undefined) ??',
    'e2e/dpop-once',
  ),
  one('another key is accepted', PROOFS, 'thumbprint !== jkt', 'false', PROOF_TESTS),
  one(
    'the host of a request changes its path',
    'binding/client-request',
    "if (host === '' || /[/?#\\\\@\\s]/.test(host))",
    'if (false)',
    PROOF_TESTS,
  ),
  one(
    'a bound token is accepted as Bearer',
    BINDING,
    "if (!isDpop && request.headers['authorization'] !== undefined)",
    'if (false)',
    DPOP_TESTS,
  ),
  one(
    'an unbound token is accepted as DPoP',
    BINDING,
    'if (isDpop || (this.demandsKeys && !isApiToken(token)))',
    'if (this.demandsKeys && !isApiToken(token))',
    DPOP_TESTS,
  ),
  one(
    'a refresh with another key is accepted',
    BINDING,
    'if (hasKey && jkt !== session.jkt)',
    'if (false)',
    DPOP_TESTS,
  ),
  one(
    'a handshake proves any key',
    BINDING,
    'keys.get(jkt);',
    '[...keys.values()][0];',
    'transports/bound-sockets',
  ),
  one(
    'a session that was bound meanwhile accepts another key',
    'sessions/rotate',
    'bound && isForeignKey(session, bound)',
    'false',
    'cluster/sessions/bound-sessions',
  ),
  one(
    'a late retry with the key counts as another client',
    BINDING,
    'return this.proofs !== undefined && jkt !== null ? `dpop:${jkt}` : undefined;',
    'return undefined;',
    DPOP_TESTS,
  ),
  one(
    'a login without a proof is accepted where one is required',
    BINDING,
    "dpop === 'required' && jkt === undefined",
    'false',
    DPOP_TESTS,
  ),
  one(
    'a nonce is not checked',
    PROOFS,
    'this.nonces === undefined || this.nonces.accepts(nonce)',
    'true',
    DPOP_TESTS,
  ),
  one(
    'a client that uses DPoP is challenged with Bearer',
    BINDING,
    'if (isDpop)\n            challengeWithDpop',
    'if (false)\n            challengeWithDpop',
    DPOP_TESTS,
  ),
  one(
    'a route of the library that needs no token challenges with Bearer',
    'http/own-routes',
    'this.binding?.noteClient(http.getRequest());',
    '',
    DPOP_TESTS,
  ),
  one(
    'RevocationGuard challenges a DPoP request with Bearer',
    'revocation/revocation.guard',
    'isDpop(requestOf(context))',
    'false',
    DPOP_TESTS,
  ),
];
