import type {
  LogoutReceipt,
  LogoutService,
  RevocationKind,
  RevocationService,
  TokenClaims,
  TokenService,
  Verdict,
  VerifiedClaims,
} from 'nestjs-logout';
import type { EntityManager } from 'typeorm';
import { type Equals, expectTrue } from './equals.js';

declare const logout: LogoutService;
declare const revocation: RevocationService;
declare const tokens: TokenService;
declare const claims: TokenClaims;
declare const manager: EntityManager;

// Every verb returns a receipt.
type Receipt = Promise<LogoutReceipt>;
expectTrue<Equals<ReturnType<LogoutService['logout']>, Receipt>>();
expectTrue<Equals<ReturnType<LogoutService['logoutSession']>, Receipt>>();
expectTrue<Equals<ReturnType<LogoutService['logoutOthers']>, Receipt>>();
expectTrue<Equals<ReturnType<LogoutService['logoutAll']>, Receipt>>();
expectTrue<Equals<ReturnType<LogoutService['revokeKey']>, Receipt>>();
expectTrue<Equals<ReturnType<LogoutService['revokeEveryone']>, Receipt>>();

const receipt = await logout.logout(claims);
expectTrue<Equals<typeof receipt.effectiveEverywhereWithin, number>>();
expectTrue<Equals<typeof receipt.keptUntil, Date | null>>();
expectTrue<Equals<ReturnType<typeof receipt.applied>, Promise<void>>>();
for (const { kind, position, id } of receipt.events) {
  expectTrue<Equals<typeof kind, RevocationKind>>();
  expectTrue<Equals<typeof position, number | null>>();
  expectTrue<Equals<typeof id, string>>();
}

void logout.logout('text', { wait: 'everywhere', actor: 'admin' });
void logout.logoutAll(7, { manager, reason: 'password_changed', issuer: 'https://partner.test' });
void logout.logoutAll(7n);
// @ts-expect-error a wait is for everywhere
void logout.logout('text', { wait: 5 });
// @ts-expect-error reasons are a closed set: a free text could leak
void logout.logout('text', { reason: 'because' });
// @ts-expect-error an option that does not exist
void logout.logout('text', { silent: true });
// @ts-expect-error a subject is no object
void logout.logoutAll({ id: 7 });

// The payload of an application's own strategy fits as it is: an interface, with some of the claims.
interface Payload {
  sub: string;
  jti?: string;
  name: string;
}
declare const payload: Payload;
const asserted = revocation.assertActive(payload);
expectTrue<Equals<typeof asserted, Promise<void>>>();
void logout.logout(payload);
void logout.logoutOthers(payload);
expectTrue<TokenClaims extends VerifiedClaims ? true : false>();
// @ts-expect-error an id that is a number would be compared with text, and never found
void revocation.assertActive({ sub: 7 });
// @ts-expect-error a text is for TokenService.verify()
void revocation.assertActive('text');

const verdict = revocation.decide(claims, { freshness: 'strict' });
expectTrue<Equals<typeof verdict, Verdict | Promise<Verdict>>>();
// @ts-expect-error as fresh as what?
void revocation.decide(claims, { freshness: 'fresh' });

const verified = tokens.verify('text', { freshness: 1, allowExpired: false });
expectTrue<Equals<typeof verified, Promise<TokenClaims>>>();
