/** How the figures were measured, for the readers of docs/benchmarks.md. */
export const GUIDE = `How to read it:

- **Only ratios within one run mean anything.** Variants are run in turn in one process, in an order that
  rotates and is reversed every other round; a ratio is the median over the rounds of the ratio of two
  neighbouring blocks. The absolute times give the scale of this machine on this day.
- **A/A control**: the same variant raced against itself. Its distance from 1 is the noise. A smaller difference means nothing. "Half of the rounds" is the middle half: from the first to the third
  quartile.
- **Requests.** Fastify is called by \`inject\`, so there is no socket in the denominator, and the share of
  our guard is larger than in any real request. Express gets real requests over 16 kept-alive
  connections from a small client in the same process. All variants are routes of one application. The
  index holds 1,000,000 live revoked sessions, the peers' tables 100,000 rows.
- **Tokens seen**: 2,048 different tokens in rotation, each of which this process has verified before.
- **Tokens never seen**: 16,384 different tokens in rotation, twice as many as the memory of verified
  tokens holds. It is full, and each token was forgotten before it comes again. So each request pays for
  the verification, for the place in the memory, and for the token that goes. The bench stops if one
  request finds its token.
- **Peers** are installed for the run into \`build/peers\`, in the versions above. "+" names the
  store that is asked at each request: in the \`validate()\` of the recipe, in the \`isRevoked\` of express-jwt,
  which is a middleware of Express. SuperTokens is not among them: supertokens-node gets the keys that it verifies with
  from its core, so it verifies no session without one.
- **The gap to the recipe depends on the Node version**: on Node 20 jsonwebtoken spends most of its
  time on a string secret; Node 22 and later spend far less. So each figure names its version.
- **Rates**: \`POST /auth/login\`, \`/auth/refresh\` and \`/auth/logout\`, by \`inject\`, 16 at a time. CPU is
  that of the whole Node process, its helper threads included, without that of the database server. The
  password check accepts any password at once. A second per core is 1,000 ms divided by that CPU; the note has
  the rate by the clock with the database on the same cores.
- **Growth**: all sizes are measured in turn in one run, each in a database (or an index) of its own. The sessions
  that are used are spread over the whole table. Refreshes, lists and logouts
  wait for each answer: their time includes the database's. 1e7 sessions are filled in with \`--large\`.
- **The primary**: the server itself logs each statement and how long it took. Instances that have nothing to do poll.
- **16 B an entry**: a slot of the index is 22 B (a key of 128 bits, the expiry, a tag and the reason), and tables are
  filled to 0.53-0.8. 16 B would need keys of 64 bits and tables filled to 0.88. Then a miss would read about 35 tags
  instead of 13, and the answer would not be exact any more: with 1e6 live revocations one valid token in 1.8e13
  requests would be refused. So the entry stays larger.
- **Writing**: 64 callers that log out as fast as they are answered, each logout durable before it is
  answered; the peer is one INSERT each into a table of revoked tokens with the usual two indexes, on 8
  connections. PostgreSQL runs on the same machine, with fsync. "One caller" waits for each answer.
- **From A to B**: two instances and an outsider, each a process; the outsider logs out on A over HTTP and
  asks B over one kept-alive connection as fast as it answers, so all times are by one clock. The control is the time of one refused request: every figure includes at least one.
- **Durable and pushed**: the peer is one statement, INSERT and \`pg_notify\`, for each logout: one
  transaction and one round trip. Both have a listener, and it is checked that it heard the last one.
- **Idle, and after a crash**: the server itself logs each statement and its duration, parsing included (\`log_min_duration_statement = 0\`).
- **A hundred instances**: complete ones, each with its own connections, in processes on this machine. They compete with the database for its cores, which they would not do elsewhere. Alone and among them alternate block by block, in one run.
- **Frozen**: a proxy between the instance and its database holds back every byte and breaks nothing. Two
  routes are asked at a steady pace through all phases; \`@Freshness()\` makes the lease of one expire before a poll is known to fail.
- **Flood**: sockets in a process of their own send texts that are no refresh tokens to \`/auth/refresh\`,
  \`/auth/logout\` and \`/auth/revoke\`, each as soon as the last was answered. The database answers 4 ms late. In the middle of each phase the feed's connection is cut. "Forged check values" are made with the application's own key. The honest client does not retry.
- **Asking twice**: rows and bytes are counted by PostgreSQL, time is simulated.
- **Cold start**: the longest time in which the event loop answered nothing. On a shared machine another process can delay the loop too: the control beside it is the same clock in an idle process.
- A target that is missed says **missed**, with the reason, and stays.
- **Dates**: single tables are measured anew with \`--update\`. Such a table names its machine and day under its heading, and they hold for its rows in the list above too; everything else is of the day at the top.
- **Two builds**: \`npm run bench:gate -- --base main\` compares a checkout with another commit, for a pull
  request. Base, head and a second copy of the base run in turn in processes of their own; it counts
  CPU time, and exits with 1 where the head is slower by more than 5 %, by more than both copies of the
  base differ, and by more than the launches differ.
`;
