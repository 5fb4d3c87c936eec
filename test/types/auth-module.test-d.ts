import { type DynamicModule, Injectable } from '@nestjs/common';
import { AuthModule, type AuthOptions, type AuthOptionsFactory } from 'nestjs-logout';
import type { ClaimsSource, TokenClaims, UserValidator } from 'nestjs-logout';
import { type Equals, expectTrue } from './equals.js';

const named = { issuer: 'shop', audience: 'api' };
const least = { ...named, secret: 'secret' };
const verifyCredentials = (): null => null;

// forRoot
const definition = AuthModule.forRoot(least);
expectTrue<Equals<typeof definition, DynamicModule>>();
AuthModule.forRoot({ ...least, isGlobal: false });
AuthModule.forRoot({ ...least, accessTokenTtl: 60, maxStaleness: '500ms', staleWait: undefined });
AuthModule.forRoot({ ...named, keys: [{ kid: 'a', alg: 'ES256', privateKey: 'PEM' }] });
AuthModule.forRoot({ ...named, keys: async () => [{ alg: 'HS512', secret: 'secret' }] });
AuthModule.forRoot({ ...least, dataSource: 'audit', schema: 'auth', migrations: 'check' });
AuthModule.forRoot({ ...least, dataSource: { type: 'postgres', url: 'postgres://' } });

// @ts-expect-error issuer and audience are required
AuthModule.forRoot({ secret: 'secret' });
// @ts-expect-error one of secret and keys is required
AuthModule.forRoot(named);
// @ts-expect-error not both
AuthModule.forRoot({ ...least, keys: [] });
// @ts-expect-error an option that does not exist
AuthModule.forRoot({ ...least, expiresIn: '60s' });
// @ts-expect-error migrations are run or checked
AuthModule.forRoot({ ...least, migrations: true });
// @ts-expect-error no verifier knows EdDSA
AuthModule.forRoot({ ...named, keys: [{ kid: 'a', alg: 'EdDSA', privateKey: 'PEM' }] });
// @ts-expect-error a public key signs nothing
AuthModule.forRoot({ ...named, keys: [{ kid: 'a', alg: 'ES256', publicKey: 'PEM', use: 'sign' }] });
// @ts-expect-error a key pair has a name
AuthModule.forRoot({ ...named, keys: [{ alg: 'ES256', privateKey: 'PEM' }] });

// validate: the claims are typed, and an application may narrow claims and request
AuthModule.forRoot({
  ...least,
  validate: (claims, request) => {
    expectTrue<Equals<typeof claims, TokenClaims>>();
    expectTrue<Equals<typeof request, object>>();
    return { id: claims.sub };
  },
});
AuthModule.forRoot({
  ...least,
  validate: async (claims: TokenClaims & { role: string }, { ip }: { ip: string }) => ({
    role: claims.role,
    ip,
  }),
});

// http: the routes, settled at registration
AuthModule.forRoot({
  ...least,
  http: {
    verifyCredentials: ({ username, password }) => {
      expectTrue<Equals<typeof password, string>>();
      return { subject: username };
    },
    cookies: { sameSite: 'lax', former: [{ name: 'jwt', domain: 'example.com' }] },
    mayIntrospect: async (claims) => claims['role'] === 'admin',
  },
});
// without verifyCredentials there is no route to log in
AuthModule.forRoot({ ...least, http: {} });
// @ts-expect-error SameSite=None is not offered
AuthModule.forRoot({ ...least, http: { verifyCredentials, cookies: { sameSite: 'none' } } });

// claims and validate: functions with typed parameters, or classes with such a method
@Injectable()
class Users implements ClaimsSource, UserValidator {
  claims(subject: string): { role: string } {
    return { role: subject };
  }

  validate(claims: TokenClaims): { id: string } {
    return { id: claims.sub };
  }
}
AuthModule.forRoot({ ...least, claims: Users, validate: Users });
AuthModule.forRootAsync({ useFactory: () => least, claims: Users, validate: Users });
AuthModule.forRootAsync({
  useFactory: () => least,
  claims: (subject, { on }) => {
    expectTrue<Equals<typeof subject, string>>();
    return { on };
  },
});
// @ts-expect-error a class without the method
AuthModule.forRoot({ ...least, claims: class {} });

// forRootAsync
@Injectable()
class Config implements AuthOptionsFactory {
  createAuthOptions(): AuthOptions {
    return least;
  }
}
class NoConfig {}

const asynchronous = AuthModule.forRootAsync({
  isGlobal: false,
  imports: [],
  inject: [Config],
  useFactory: (config: Config) => config.createAuthOptions(),
});
expectTrue<Equals<typeof asynchronous, DynamicModule>>();
AuthModule.forRootAsync({ useFactory: async () => least });
AuthModule.forRootAsync({ useClass: Config });
AuthModule.forRootAsync({ useExisting: Config });
// @ts-expect-error a factory's options are options
AuthModule.forRootAsync({ useFactory: () => ({ secret: 'secret' }) });
// @ts-expect-error it must have createAuthOptions()
AuthModule.forRootAsync({ useClass: NoConfig });
