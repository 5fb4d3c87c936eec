import type { Type } from '@nestjs/common';
import { ApolloDriver } from '@nestjs/apollo';
import { GraphQLModule, Mutation, Query, Resolver, Subscription } from '@nestjs/graphql';
import { MercuriusDriver } from '@nestjs/mercurius';
import { expectLines } from './support/asked.js';
import { graphqlClient, graphqlWsClient } from './support/graphql-clients.js';
import { handlersOf, type Placement } from './support/handlers.js';
import { describeMatrix, type Line } from './support/matrix.js';

const text = (): StringConstructor => String;

/** Each handler as a query, as a mutation, and as a subscription that reports its user once. */
function resolvers(placement: Placement): Type[] {
  const Queries = handlersOf(placement, (name) => Query(text, { name }));
  const Mutations = handlersOf(placement, (name) => Mutation(text, { name }));
  const Subscriptions = handlersOf(
    placement,
    (name) => Subscription(text, { name, resolve: (who: string) => who }),
    async function* once(who) {
      yield who;
    },
  );
  for (const each of [Queries, Mutations, Subscriptions]) Resolver()(each);
  return [Queries, Mutations, Subscriptions];
}

const EXTENSIONS = { code: 'UNAUTHENTICATED', status: 401 };
const form = (originalError: object): object => ({ ...EXTENSIONS, originalError });

function lines(over: 'Apollo, Express' | 'Apollo, Fastify' | 'Mercurius'): readonly Line[] {
  return [
    { name: `GraphQL, ${over}`, connect: graphqlClient, form },
    { name: `graphql-ws, ${over}`, connect: graphqlWsClient, form, garbage: { not: 'a text' } },
  ];
}

describeMatrix(
  'GraphQL with Apollo on Express',
  'APP_GUARD',
  (given) => ({
    ...given,
    imports: [
      GraphQLModule.forRoot({
        driver: ApolloDriver,
        autoSchemaFile: true,
        subscriptions: { 'graphql-ws': true },
      }),
    ],
    providers: [...(given.providers ?? []), ...resolvers('APP_GUARD')],
  }),
  lines('Apollo, Express'),
);

describeMatrix(
  'GraphQL with Apollo on Fastify',
  '@UseGuards',
  (given) => ({
    ...given,
    platform: 'fastify',
    imports: [
      GraphQLModule.forRoot({
        driver: ApolloDriver,
        autoSchemaFile: true,
        subscriptions: { 'graphql-ws': true },
        // As the documentation of 0.1 advised.
        context: (given: { extra?: object }) => ({ req: given }),
      }),
    ],
    providers: resolvers('@UseGuards'),
  }),
  lines('Apollo, Fastify'),
);

describeMatrix(
  'GraphQL with Mercurius on Fastify',
  'useGlobalGuards',
  (given) => ({
    ...given,
    platform: 'fastify',
    imports: [
      GraphQLModule.forRoot({
        driver: MercuriusDriver,
        autoSchemaFile: true,
        subscription: {
          onConnect: ({ payload }: { payload?: object }) => ({ connectionParams: payload }),
        },
      }),
    ],
    providers: resolvers('useGlobalGuards'),
  }),
  lines('Mercurius'),
);

expectLines('transports/graphql.spec.ts');
