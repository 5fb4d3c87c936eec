import { scrypt, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import type { AuthenticatedSubject, Credentials, CredentialsVerifier } from 'nestjs-logout';
import { PasswordTable } from './password-table.js';

const derive = promisify<string, Buffer, number, Buffer>(scrypt);

const DEMO_PASSWORD = 'correct horse battery staple';

type Role = 'user' | 'admin';
const ROLES: ReadonlyMap<string, Role> = new Map([
  ['alice', 'user'],
  ['bob', 'user'],
  ['admin', 'admin'],
]);

/** The demo accounts; an application has its own users and its own password check. */
@Injectable()
export class Accounts implements CredentialsVerifier {
  private readonly demoPassword = digestOf(DEMO_PASSWORD);
  /** Nobody knows what was hashed here. */
  private readonly nobody = digestOf(randomBytes(32).toString('base64url'));

  constructor(private readonly passwords: PasswordTable) {}

  /** An unknown name takes as long as a wrong password. */
  async verifyCredentials({
    username,
    password,
  }: Credentials): Promise<AuthenticatedSubject | null> {
    const digest = await this.digestOf(username);
    const isRight = await matches(password, digest ?? (await this.nobody));
    return isRight && digest !== null ? { subject: username } : null;
  }

  /** What an access token says of its account; asked at each login and each refresh. */
  claimsOf(name: string): { role?: Role } {
    const role = ROLES.get(name);
    return role === undefined ? {} : { role };
  }

  async exists(name: string): Promise<boolean> {
    return (await this.digestOf(name)) !== null;
  }

  async changePassword(
    name: string,
    password: string,
    then: () => Promise<unknown>,
  ): Promise<void> {
    await this.replace(name, await digestOf(password), then);
  }

  async remove(name: string, then: () => Promise<unknown>): Promise<void> {
    await this.replace(name, null, then);
  }

  /**
   * Stores it **before** the older tokens are ended: a login in between, with the old password, would
   * survive otherwise. When they cannot be ended, it is taken back, so that it can be tried again.
   *
   * An application with a TypeORM of its own puts both into one transaction:
   * `passwordChanged(subject, { manager })`.
   */
  private async replace(
    name: string,
    digest: string | null,
    then: () => Promise<unknown>,
  ): Promise<void> {
    const before = await this.digestOf(name);
    await this.passwords.set(name, digest);
    try {
      await then();
    } catch (error) {
      await this.passwords.set(name, before);
      throw error;
    }
  }

  /** `null` for names that nobody has; they too cost a query, so that time tells nothing. */
  private async digestOf(name: string): Promise<string | null> {
    const isKnown = ROLES.has(name);
    const stored = await this.passwords.find(isKnown ? name : '');
    if (!isKnown || stored === null) return null;
    return stored ?? this.demoPassword;
  }
}

async function digestOf(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, 32);
  return `${salt.toString('base64url')}.${hash.toString('base64url')}`;
}

async function matches(password: string, digest: string): Promise<boolean> {
  const [salt = '', hash = ''] = digest.split('.');
  const given = await derive(password, Buffer.from(salt, 'base64url'), 32);
  return timingSafeEqual(given, Buffer.from(hash, 'base64url'));
}
