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

const DEMO_DIGEST = digestOf(DEMO_PASSWORD);
/** The hash of a password that no one knows. */
const NOBODY = digestOf(randomBytes(32).toString('base64url'));

/** The demo accounts; an application has its own users and its own password check. */
@Injectable()
export class Accounts implements CredentialsVerifier {
  constructor(private readonly passwords: PasswordTable) {}

  /** An unknown name takes as long as a wrong password. */
  async verifyCredentials({
    username,
    password,
  }: Credentials): Promise<AuthenticatedSubject | null> {
    const digest = await this.digestOf(username);
    const isRight = await matches(password, digest ?? (await NOBODY));
    return isRight && digest !== null ? { subject: username } : null;
  }

  /** The claims of an access token about its account. Called at each login and each refresh. */
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
   * Stores the new password **before** the older tokens are revoked. Otherwise a login in between, with the
   * old password, would survive. If they cannot be revoked, the old password is put back, so that the change
   * can be tried again.
   *
   * An application that uses TypeORM does both in one transaction:
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

  /** `null` for unknown names. They cost a query too, so that the time does not reveal which names exist. */
  private async digestOf(name: string): Promise<string | null> {
    const isKnown = ROLES.has(name);
    const stored = await this.passwords.find(isKnown ? name : '');
    if (!isKnown || stored === null) return null;
    return stored ?? DEMO_DIGEST;
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
