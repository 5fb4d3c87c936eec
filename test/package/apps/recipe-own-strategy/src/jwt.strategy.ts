import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { ISSUER, SECRET } from './constants.js';

/** What this application signs: its tokens have an issuer and an id, and that is enough. */
export interface Payload {
  iss: string;
  sub: string;
  jti: string;
  iat: number;
  exp: number;
}

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor() {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: SECRET,
      issuer: ISSUER,
    });
  }

  async validate(payload: Payload) {
    return payload;
  }
}
