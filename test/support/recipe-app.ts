import {
  Body,
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Module,
  Post,
  Request,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { Test } from '@nestjs/testing';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { fetchOnce } from './fetch-once.js';

/** The passport recipe of the Nest documentation, which does not use the library. */
export interface RecipeApp {
  readonly url: string;
  /** Its JwtService: signs what the recipe signs. */
  readonly jwt: JwtService;
  /** Its `POST /auth/login`. */
  readonly login: (username: string) => Promise<string>;
  /** The status of its `GET /profile`, and what it read. */
  readonly profile: (token: string) => Promise<{ status: number; body: unknown }>;
  readonly close: () => Promise<void>;
}

/**
 * The files of `test/package/apps/recipe-passport` in one, with types, and without passport-local
 * (the login reads the body itself). Only one at a time: the recipe's strategy has the name `jwt` in
 * the whole process.
 */
export async function startRecipe(secret: string): Promise<RecipeApp> {
  @Injectable()
  class JwtStrategy extends PassportStrategy(Strategy) {
    constructor() {
      super({
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        ignoreExpiration: false,
        secretOrKey: secret,
      });
    }

    async validate(payload: { sub: unknown; username: unknown }): Promise<object> {
      return { userId: payload.sub, username: payload.username };
    }
  }

  @Controller()
  class AppController {
    private readonly users = [
      { userId: 1, username: 'john' },
      { userId: 2, username: 'maria' },
    ];

    constructor(private readonly jwtService: JwtService) {}

    @Post('auth/login')
    async login(@Body() { username }: { username: string }): Promise<{ access_token: string }> {
      const user = this.users.find((each) => each.username === username);
      if (user === undefined) throw new UnauthorizedException();
      const payload = { username: user.username, sub: user.userId };
      return { access_token: this.jwtService.sign(payload) };
    }

    @UseGuards(AuthGuard('jwt'))
    @Get('profile')
    getProfile(@Request() req: { user: unknown }): unknown {
      return req.user;
    }
  }

  @Module({
    imports: [PassportModule, JwtModule.register({ secret, signOptions: { expiresIn: '60s' } })],
    providers: [JwtStrategy],
    controllers: [AppController],
  })
  class AppModule {}

  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app: INestApplication = module.createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    url,
    jwt: app.get(JwtService),
    login: (username) => loginAt(url, username),
    profile: (token) => profileAt(url, token),
    close: () => app.close(),
  };
}

/** `POST /auth/login` of the recipe, and of an application that has migrated. */
export async function loginAt(url: string, username: string): Promise<string> {
  const response = await fetchOnce(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username }),
  });
  return ((await response.json()) as { access_token: string }).access_token;
}

/** `GET /profile` of both. */
export async function profileAt(
  url: string,
  token: string,
): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetchOnce(`${url}/profile`, { headers });
  return { status: response.status, body: await response.json() };
}
