import { Injectable, Scope } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type InjectedProvider, injectedInto } from '../platform/module-graph.js';
import { RAW_AUTH_OPTIONS } from './resolved-auth-options.js';

/**
 * Checks what the options wait for, before they are made. It finds two mistakes that Nest does not report,
 * or not in a way that helps: a cycle (Nest 11 waits for ever, so the process exits with code 0 and no
 * message), and a request-scoped provider (all providers of the library would be request-scoped too).
 */
@Injectable()
export class InjectionCheck {
  /** @throws AuthWiringError naming the providers from the options to the mistake. */
  constructor(reference: ModuleRef) {
    // Each module has its ModuleRef from the start. Nest would look for ModulesContainer in every
    // import first, and on Nest 12 report the cycle in the meantime, without the advice.
    const modules = reference.get(ModulesContainer, { strict: false });
    for (const module of modules.values()) {
      const wrapper = module.providers.get(RAW_AUTH_OPTIONS);
      if (wrapper !== undefined) inspect({ module, wrapper }, [], new Set());
    }
  }
}

function inspect(at: InjectedProvider, path: readonly string[], seen: Set<unknown>): void {
  for (const next of injectedInto(at)) {
    const { wrapper } = next;
    if (wrapper.token === RAW_AUTH_OPTIONS) throw cycle(path);
    if (seen.has(wrapper)) continue;
    seen.add(wrapper);
    const names = [...path, String(wrapper.name)];
    if (wrapper.scope === Scope.REQUEST) throw requestScoped(names);
    inspect(next, names, seen);
  }
}

function cycle(path: readonly string[]): AuthWiringError {
  const named = path[0] ?? 'the service';
  return new AuthWiringError(
    `The options of AuthModule wait for themselves: options → ${path.join(' → ')} → options.`,
    `Name the class beside useFactory instead of injecting it: AuthModule.forRootAsync({ useFactory, claims: ${named} }), ` +
      'or validate, or http: { verifyCredentials }. Its instance is looked up after all instances were made.',
    'Inject into useFactory only what the options need themselves, such as ConfigService.',
  );
}

function requestScoped(path: readonly string[]): AuthWiringError {
  const named = path.at(-1) ?? '';
  return new AuthWiringError(
    `The options of AuthModule are made once, but they wait for ${named}, which is made for each ` +
      `request (request-scoped or durable): options → ${path.join(' → ')}.`,
    `Leave ${named} out of inject: options are the same for all requests.`,
    'What depends on the request belongs into validate(claims, request) or into claims(subject, context).',
  );
}
