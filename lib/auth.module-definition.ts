import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { AuthHttpOptions } from './http/http-options.js';
import type { AuthOptions, AuthSettings } from './options/auth-options.js';
import { RAW_AUTH_OPTIONS } from './options/resolved-auth-options.js';

/** What is needed when the module is registered: written beside `useFactory`, never returned by it. */
export interface AuthModuleExtras {
  /**
   * Whether every module can inject the providers without importing AuthModule.
   *
   * @default true
   */
  isGlobal?: boolean;
  /**
   * Mounts the library's own routes: login, refresh, logout and the others; see `http`.
   *
   * @default none: no routes
   */
  http?: AuthHttpOptions | undefined;
  /**
   * Gives the claims of each access token: a class with a method `claims()`, looked up after all
   * instances were made, or a function. Write it here or return it from `useFactory`, not both.
   *
   * @default none
   */
  claims?: AuthSettings['claims'];
  /**
   * Shapes `request.user`: a class with a method `validate()`, or a function; as `claims`.
   *
   * @default the claims themselves
   */
  validate?: AuthSettings['validate'];
  /**
   * Whether modules without a JwtModule can inject a `JwtService` that signs and verifies with the key
   * ring, `issuer` and `audience`.
   *
   * It is global, whatever `isGlobal` is; a second global one stops the boot. In a module that imports
   * JwtModule itself, that JwtModule wins.
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
