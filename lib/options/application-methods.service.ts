import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { RESOLVED_AUTH_OPTIONS, type ResolvedAuthOptions } from './resolved-auth-options.js';

/** Looks up the classes that options name (`claims`, `validate`), once all instances were made. */
@Injectable()
export class ApplicationMethods implements OnModuleInit {
  constructor(
    modules: ModuleRef,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {
    // Somebody may log in while the application starts, before this module's own onModuleInit.
    for (const method of options.applicationMethods) method.attach(modules);
  }

  /** @throws AuthWiringError when a class is no provider, or has no such method. */
  onModuleInit(): void {
    for (const method of this.options.applicationMethods) method.find();
  }
}
