import { Injectable, type Provider, UnauthorizedException } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import type { KeyObject } from 'node:crypto';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What the strategies read of a token. */
interface Payload {
  readonly sub: string;
  readonly jti: string;
  readonly name?: string;
}

/** The row of the usual blacklist. */
@Entity('revoked_token')
export class RevokedToken {
  @PrimaryColumn('varchar', { length: 36 })
  jti!: string;

  @Column('bigint')
  expiresAt!: number;
}

const fromHeader = { jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken() };

/**
 * The passport recipe of the Nest documentation, word by word. With a KeyObject in the place of the
 * string it is what `AuthGuard('jwt')` costs at its best.
 */
export function recipe(name: string, secret: string | KeyObject): Provider {
  // Its types do not know that jsonwebtoken takes a KeyObject.
  const secretOrKey = secret as string;
  @Injectable()
  class RecipeStrategy extends PassportStrategy(Strategy, name) {
    constructor() {
      super({ ...fromHeader, ignoreExpiration: false, secretOrKey });
    }

    async validate(payload: Payload): Promise<unknown> {
      return { userId: payload.sub, username: payload.name };
    }
  }
  return RecipeStrategy;
}

/** The recipe with what most add to it for a logout: a look-up in a store at each request. */
export function recipeWithBlacklist(
  name: string,
  secret: string,
  isRevoked: (jti: string) => Promise<boolean>,
): Provider {
  @Injectable()
  class BlacklistStrategy extends PassportStrategy(Strategy, name) {
    constructor() {
      super({ ...fromHeader, ignoreExpiration: false, secretOrKey: secret });
    }

    async validate(payload: Payload): Promise<unknown> {
      if (await isRevoked(payload.jti)) throw new UnauthorizedException();
      return { userId: payload.sub, username: payload.name };
    }
  }
  return BlacklistStrategy;
}
