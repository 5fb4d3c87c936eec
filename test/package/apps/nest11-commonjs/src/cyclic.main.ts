import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from 'nestjs-logout';
import { UsersService } from './users.service';

@Global()
@Module({ providers: [UsersService], exports: [UsersService] })
class UsersModule {}

/** The mistake: useFactory waits for what waits for the options. */
@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }),
    UsersModule,
    AuthModule.forRootAsync({
      inject: [UsersService],
      useFactory: (users: UsersService) => ({
        secret: 'a secret of the package test, 32 bytes or more',
        issuer: 'https://auth.example.com',
        audience: 'https://api.example.com',
        claims: (subject: string) => users.claims(subject),
      }),
    }),
  ],
})
class CyclicModule {}

async function bootstrap() {
  const app = await NestFactory.create(CyclicModule);
  await app.listen(process.env.PORT ?? 3000, '127.0.0.1');
  console.log(`listening on ${await app.getUrl()}`);
}
void bootstrap();
