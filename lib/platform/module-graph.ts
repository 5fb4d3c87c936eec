import type { ModulesContainer } from '@nestjs/core';

type NestModule = ModulesContainer extends Map<string, infer Module> ? Module : never;
type Wrapper = NonNullable<ReturnType<NestModule['providers']['get']>>;
type Token = Wrapper['token'];

/** A provider, and the module from which it sees others. */
export interface InjectedProvider {
  readonly module: NestModule;
  readonly wrapper: Wrapper;
}

/** Reflect's keys of Nest; they are not exported, and the same in Nest 11 and 12. */
const PARAMETER_TYPES = 'design:paramtypes';
const INJECTED_PARAMETERS = 'self:paramtypes';
const INJECTED_PROPERTIES = 'self:properties_metadata';

/**
 * The providers that this one waits for, found as Nest finds them, but before anything is made.
 * Left out: what is injected by `forwardRef`, and what cannot be found (Nest reports it itself).
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

/** An entry of `inject`, or of a class's metadata. */
function tokenOf(given: unknown): Token | undefined {
  if (typeof given !== 'object' || given === null) return given as Token | undefined;
  if (!('token' in given)) return undefined; // forwardRef
  return tokenOf(given.token);
}

function listOf<Entry>(key: string, type: object): readonly Entry[] {
  return (Reflect.getMetadata(key, type) as readonly Entry[] | undefined) ?? [];
}

function lookUp(token: Token, module: NestModule): InjectedProvider | undefined {
  const own = module.providers.get(token);
  return own === undefined
    ? lookUpInImports(token, [...module.imports], new Set())
    : { module, wrapper: own };
}

function lookUpInImports(
  token: Token,
  imports: readonly NestModule[],
  seen: Set<NestModule>,
): InjectedProvider | undefined {
  for (const module of imports) {
    if (seen.has(module)) continue;
    seen.add(module);
    const wrapper = module.exports.has(token) ? module.providers.get(token) : undefined;
    if (wrapper !== undefined) return { module, wrapper };
    const reExported = [...module.imports].filter(({ metatype }) => module.exports.has(metatype));
    const found = lookUpInImports(token, reExported, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}
