import { scrypt, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';

const derive = promisify<string, Buffer, number, Buffer>(scrypt);

interface Account {
  readonly name: string;
  readonly role: 'user' | 'admin';
  readonly salt: Buffer;
  readonly hash: Promise<Buffer>;
}

const DEMO_PASSWORD = 'correct horse battery staple';

/** The demo accounts; an application has its own users and its own password check. */
@Injectable()
export class Accounts {
  private readonly accounts = new Map<string, Account>(
    (['alice', 'bob', 'admin'] as const).map((name) => {
      const salt = randomBytes(16);
      const role = name === 'admin' ? 'admin' : 'user';
      return [name, { name, role, salt, hash: derive(DEMO_PASSWORD, salt, 32) }];
    }),
  );

  /** The account, if the password is its own; an unknown name takes as long as a wrong password. */
  async verify(name: string, password: string): Promise<{ name: string; role: string } | null> {
    const account = this.accounts.get(name);
    const given = await derive(password, account?.salt ?? Buffer.alloc(16), 32);
    if (account === undefined || !timingSafeEqual(given, await account.hash)) return null;
    return { name: account.name, role: account.role };
  }
}
