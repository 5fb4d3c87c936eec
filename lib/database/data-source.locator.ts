import { ModulesContainer, ModuleRef } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { isDataSource } from '../options/data-source-option.js';

/**
 * Finds the application's DataSource: the one with this name, or without a name the only one.
 *
 * @throws AuthWiringError if there is none, if there are several, or if it is not a singleton. The message
 * lists the candidates.
 */
export function locateDataSource(
  moduleRef: ModuleRef,
  modules: ModulesContainer,
  name: string | undefined,
): DataSource {
  const candidates = candidatesIn(modules);
  const listed = [...candidates.values()].flat().join(', ') || 'none';
  if (name !== undefined) {
    const found = [...candidates].find(([, names]) => names.some((given) => fits(given, name)));
    if (found !== undefined) return found[0];
    throw new AuthWiringError(
      `AuthModule: dataSource "${name}" was not found. DataSources in this application: ${listed}.`,
      'Pass the name from TypeOrmModule.forRoot({ name }), or the DataSource itself.',
    );
  }
  const [only, ...others] = candidates.keys();
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    throw new AuthWiringError(
      `AuthModule: there is more than one DataSource: ${listed}.`,
      `Choose the one that has the revocation log: AuthModule.forRoot({ dataSource: 'name', … }).`,
    );
  }
  throw new AuthWiringError(
    `AuthModule: no DataSource was found${scopeHint(moduleRef)}.`,
    'Import TypeOrmModule.forRoot(…) in the application.',
    'Provide TypeORM’s DataSource class as a singleton provider.',
    'Without TypeORM in the application: AuthModule.forRoot({ dataSource: { type, … } }).',
  );
}

/** Whether an injection token of TypeOrmModule has this name. The token of `default` is the class itself. */
function fits(given: string, name: string): boolean {
  return given === name || given === (name === 'default' ? 'DataSource' : `${name}DataSource`);
}

/** Every distinct DataSource that a module provides, with its injection tokens. */
function candidatesIn(modules: ModulesContainer): Map<DataSource, string[]> {
  const found = new Map<DataSource, string[]>();
  for (const module of modules.values()) {
    for (const [token, wrapper] of module.providers) {
      const instance: unknown = wrapper.instance;
      if (!isDataSource(instance)) continue;
      const label = typeof token === 'function' ? token.name : String(token);
      const names = found.get(instance) ?? [];
      if (!names.includes(label)) names.push(label);
      found.set(instance, names);
    }
  }
  return found;
}

/** Why no DataSource was found: it may be request-scoped, or a mock. */
function scopeHint(moduleRef: ModuleRef): string {
  try {
    const value: unknown = moduleRef.get(DataSource, { strict: false });
    return isDataSource(value) ? '' : ': what is provided as DataSource is not one (a mock?)';
  } catch (error) {
    // Nest's exceptions are all named Error; InvalidClassScopeException is the one for scopes.
    return error instanceof Error && error.constructor.name.includes('Scope')
      ? ': the one that is provided is request-scoped or transient'
      : '';
  }
}
