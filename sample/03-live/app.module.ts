import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { type DynamicModule, Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { ClientsModule } from '@nestjs/microservices';
import { AuthModule, type AuthOptions, LiveSockets, secretKid, type WsSocket } from 'nestjs-logout';
import { Accounts } from '../01-quickstart/accounts.js';
import { AccountsModule } from '../01-quickstart/accounts.module.js';
import { GuessCounter } from '../01-quickstart/guess-counter.js';
import type { Settings } from '../01-quickstart/settings.js';
import { MESSAGES, MESSAGES_OPTIONS } from './messages.js';
import { OrdersController } from './orders.controller.js';
import { OrdersGateway } from './orders.gateway.js';
import { OrdersMessages } from './orders.messages.js';
import { OrdersResolver } from './orders.resolver.js';
import { Orders } from './orders.js';
import { PageController } from './page.controller.js';

/** The part of a graphql-ws connection that is used. */
interface Connection {
  readonly connectionParams?: { readonly token?: unknown };
  readonly extra: { readonly socket: WsSocket };
}

@Module({})
export class AppModule {
  static with({ database, secrets, ...settings }: Settings): DynamicModule {
    const { issuer, audience, accessTokenTtl, maxStaleness, hint } = settings;
    return {
      module: AppModule,
      imports: [
        AuthModule.forRootAsync({
          imports: [AccountsModule.on(database)],
          useFactory: (): AuthOptions => ({
            keys: secrets.map((secret) => ({ alg: 'HS256', secret, kid: secretKid(secret) })),
            issuer,
            audience,
            accessTokenTtl,
            maxStaleness,
            hint,
            // All visitors share the demo accounts.
            maxSessions: false,
            // An application with a TypeOrmModule leaves this out: the library finds its database.
            dataSource: database,
            migrations: 'run',
          }),
          http: { verifyCredentials: Accounts, limit: new GuessCounter(settings.loginLimit) },
        }),
        GraphQLModule.forRootAsync<ApolloDriverConfig>({
          driver: ApolloDriver,
          inject: [LiveSockets],
          useFactory: (sockets: LiveSockets) => ({
            autoSchemaFile: true,
            graphiql: false,
            subscriptions: {
              'graphql-ws': {
                // The token belongs to the connection: its socket closes when the token ends.
                onConnect: async (connection) => {
                  const { connectionParams, extra } = connection as unknown as Connection;
                  return (
                    (await sockets.accept(extra.socket, connectionParams?.token)) !== undefined
                  );
                },
              },
            },
          }),
        }),
        ClientsModule.register([{ name: MESSAGES, ...MESSAGES_OPTIONS }]),
      ],
      controllers: [PageController, OrdersController, OrdersMessages],
      providers: [Orders, OrdersGateway, OrdersResolver],
    };
  }
}
