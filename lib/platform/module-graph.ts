import type { ExecutionContext } from '@nestjs/common';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';

/** A module in the container of Nest. */
type NestModule = ModulesContainer extends Map<string, infer Module> ? Module : never;
type Wrapper = NonNullable<ReturnType<NestModule['providers']['get']>>;
type Token = Wrapper['token'];

/** A provider, and the module in whose scope its dependencies are resolved. */
export interface InjectedProvider {
  readonly module: NestModule;
  readonly wrapper: Wrapper;
}

/** The metadata keys of Nest. Nest does not export them. They are the same in Nest 11 and 12. */
const PARAMETER_TYPES = 'design:paramtypes';
const INJECTED_PARAMETERS = 'self:paramtypes';
const INJECTED_PROPERTIES = 'self:properties_metadata';

/**
 * The dependencies of a provider, resolved as Nest resolves them, but before any instance exists.
 * It leaves out dependencies by `forwardRef`, and those that cannot be found, which Nest reports
 * itself.
 */
export function* injectedInto({ module, wrapper }: InjectedProvider): Iterable<InjectedProvider> {
  for (const token of tokensOf(wrapper)) {
    const found = lookUp(token, module);
    if (found !== undefined) yield found;
  }
}

function tokensOf({ inject, metatype }: Wrapper): Token[] {
  if (Array.isArray(inject)) {
    return inject.map(tokenOf).filter((token) => token !== undefined);
  }
  if (typeof metatype !== 'function') return [];
  const parameters: unknown[] = [...listOf<unknown>(PARAMETER_TYPES, metatype)];
  const named = listOf<{ index: number; param: unknown }>(INJECTED_PARAMETERS, metatype);
  for (const { index, param } of named) parameters[index] = param;
  const properties = listOf<{ type: unknown }>(INJECTED_PROPERTIES, metatype);
  return [...parameters, ...properties.map(({ type }) => type)]
    .map(tokenOf)
    .filter((token) => token !== undefined);
}

/** The token in an entry of `inject` or in the metadata of a class. */
function tokenOf(given: unknown): Token | undefined {
  if (typeof given !== 'object' || given === null) return given as Token | undefined;
  if (!('token' in given)) return undefined; // forwardRef
  return tokenOf(given.token);
}

function listOf<Entry>(key: string, type: object): readonly Entry[] {
  return (Reflect.getMetadata(key, type) as readonly Entry[] | undefined) ?? [];
}

function lookUp(token: Token, module: NestModule): InjectedProvider | undefined {
  const wrapper = module.providers.get(token);
  if (wrapper !== undefined) return { module, wrapper };
  const seen = new Set<NestModule>();
  return firstExported(token, [...module.imports], seen);
}

function firstExported(
  token: Token,
  modules: readonly NestModule[],
  seen: Set<NestModule>,
): InjectedProvider | undefined {
  for (const module of modules) {
    const found = exportedBy(module, token, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The provider that a module exports under a token: its own, or one of a module that it re-exports.
 */
export function exportedBy(
  module: NestModule,
  token: Token,
  seen = new Set<NestModule>(),
): InjectedProvider | undefined {
  if (seen.has(module)) return undefined;
  seen.add(module);
  const wrapper = module.exports.has(token) ? module.providers.get(token) : undefined;
  if (wrapper !== undefined) return { module, wrapper };
  const exportedAgain = [...module.imports].filter(({ metatype }) => module.exports.has(metatype));
  return firstExported(token, exportedAgain, seen);
}

/** A class of the application and its methods, any of which may be a handler. */
export interface HandlerClass {
  readonly type: ReturnType<ExecutionContext['getClass']>;
  readonly methods: ReadonlyMap<string, ReturnType<ExecutionContext['getHandler']>>;
}

/** The classes of all controllers, gateways, resolvers and other providers. */
export function* handlerClassesOf(modules: ModulesContainer): Iterable<HandlerClass> {
  const seen = new Set<unknown>();
  for (const { controllers, providers } of modules.values()) {
    for (const { metatype, instance } of [...controllers.values(), ...providers.values()]) {
      for (const type of [metatype, classOf(instance)]) {
        if (seen.has(type) || typeof type !== 'function' || !isObject(type.prototype)) continue;
        seen.add(type);
        yield { type: type as HandlerClass['type'], methods: methodsOf(type.prototype) };
      }
    }
  }
}

function methodsOf(prototype: object): HandlerClass['methods'] {
  const names = new MetadataScanner().getAllMethodNames(prototype);
  return new Map(names.map((name) => [name, Reflect.get(prototype, name)]));
}

/** The class of an instance, also of one that a factory made. A proxy may throw or have none. */
function classOf(instance: unknown): unknown {
  if (!isObject(instance)) return undefined;
  try {
    return Object.getPrototypeOf(instance)?.constructor;
  } catch {
    return undefined;
  }
}

function isObject(given: unknown): given is object {
  return typeof given === 'object' && given !== null;
}
