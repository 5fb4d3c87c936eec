import { type DynamicModule, Module } from '@nestjs/common';
import type { DataSourceOptions } from 'typeorm';
import { Accounts } from './accounts.js';
import { DATABASE, PasswordTable } from './password-table.js';

@Module({})
export class AccountsModule {
  static on(database: DataSourceOptions): DynamicModule {
    return {
      module: AccountsModule,
      providers: [Accounts, PasswordTable, { provide: DATABASE, useValue: database }],
      exports: [Accounts],
    };
  }
}
