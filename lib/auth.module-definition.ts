import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { AuthHttpOptions } from './http/http-options.js';
import type { AuthOptions, AuthSettings } from './options/auth-options.js';
import { RAW_AUTH_OPTIONS } from './options/resolved-auth-options.js';

/**
 * Options that Nest needs when it registers the module, such as the routes. Set them beside `useFactory`. It
 * cannot return them, because Nest calls it later. Only `claims` and `validate` may be in either place.
 *
 * @publicApi
 */
export interface AuthModuleExtras {
  /**
   * Whether every module can inject the providers without importing AuthModule.
   *
   * @default true
   */
  isGlobal?: boolean;
  /**
   * Mounts the library's own routes, such as login, refresh and logout; see {@link AuthHttpOptions}.
   *
   * @default none: no routes
   */
  http?: AuthHttpOptions | undefined;
  /**
   * Returns the claims of each access token: a provider of the application with a method `claims()`, or a
   * function. Set it here or return it from `useFactory`, not both.
   *
   * @default none
   */
  claims?: AuthSettings['claims'];
  /**
   * Returns `request.user`: a provider of the application with a method `validate()`, or a function. Set it
   * here or return it from `useFactory`, not both.
   *
   * @default the claims themselves
   */
  validate?: AuthSettings['validate'];
  /**
   * Whether modules that do not import JwtModule can inject a `JwtService` that signs and verifies with the
   * options `secret` or `keys`, `issuer` and `audience`.
   *
   * This `JwtService` is global, whatever `isGlobal` is. A second global one stops the boot. A module that
   * imports JwtModule itself gets the `JwtService` of that JwtModule.
   *
   * @default true
   */
  exportJwtService?: boolean | undefined;
}

/**
 * The base class of {@link AuthModule}, with `forRoot` and `forRootAsync`.
 *
 * @see https://docs.nestjs.com/fundamentals/dynamic-modules#configurable-module-builder
 */
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
