import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { AuthHttpOptions } from './http/http-options.js';
import type { AuthOptions, AuthSettings } from './options/auth-options.js';
import { RAW_AUTH_OPTIONS } from './options/resolved-auth-options.js';

/** What is settled when the module is registered, so it stands beside `useFactory`, never in its answer. */
export interface AuthModuleExtras {
  /** Whether every module sees the providers without importing AuthModule. Default `true`. */
  isGlobal?: boolean;
  /** Switches the library's own routes on: login, refresh, logout and the others. Default: none. */
  http?: AuthHttpOptions | undefined;
  /**
   * Gives the claims of each access token: a class with a method `claims()`, looked up after all
   * instances were made, or a function. Not both here and in the answer of `useFactory`.
   */
  claims?: AuthSettings['claims'];
  /** Shapes `request.user`: a class with a method `validate()`, or a function; as `claims`. */
  validate?: AuthSettings['validate'];
  /**
   * Whether modules that import no JwtModule of their own can inject a `JwtService` that signs and
   * verifies with the key ring, `issuer` and `audience`. It is global, whatever `isGlobal` says; a
   * second global one stops the boot. A module's own import of JwtModule always wins.
   *
   * @default true
   */
  exportJwtService?: boolean | undefined;
}

/** The builder's class behind {@link AuthModule}. */
export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<AuthOptions>({
    moduleName: 'Auth',
    optionsInjectionToken: RAW_AUTH_OPTIONS,
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createAuthOptions')
    .setExtras<AuthModuleExtras>(
      {
        isGlobal: true,
        http: undefined,
        claims: undefined,
        validate: undefined,
        exportJwtService: true,
      },
      (definition, { isGlobal }) => ({
        ...definition,
        global: isGlobal ?? true,
      }),
    )
    .build();
