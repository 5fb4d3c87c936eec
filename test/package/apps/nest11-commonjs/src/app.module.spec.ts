import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { issueTestToken, overrideAuth } from 'nestjs-logout/testing';
import { AppModule } from './app.module';

describe('AppModule', () => {
  let app: INestApplication;

  afterEach(() => app.close());

  const profile = async (token?: string): Promise<Response> => {
    await app.listen(0, '127.0.0.1');
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    return fetch(`${await app.getUrl()}/profile`, { headers });
  };

  it('the guard accepts a request as the user of overrideAuth', async () => {
    const builder = Test.createTestingModule({ imports: [AppModule] });
    app = (await overrideAuth(builder, { sub: 'alice' }).compile()).createNestApplication();
    expect(await (await profile()).json()).toEqual({ sub: 'alice' });
  });

  it('the guard accepts a request with a token of issueTestToken', async () => {
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = await module.createNestApplication().init();
    expect((await profile(await issueTestToken(app, 'alice'))).status).toBe(200);
  });
});
