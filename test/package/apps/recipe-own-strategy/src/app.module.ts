import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AccountController } from './account.controller.js';
import { ISSUER, SECRET } from './constants.js';
import { JwtStrategy } from './jwt.strategy.js';
import { OrdersController } from './orders.controller.js';
import { ProfileController } from './profile.controller.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: process.env.DATABASE ?? 'app.db' }),
    JwtModule.register({ secret: SECRET, signOptions: { issuer: ISSUER, expiresIn: '10m' } }),
  ],
  controllers: [AccountController, ProfileController, OrdersController],
  providers: [JwtStrategy],
})
export class AppModule {}
