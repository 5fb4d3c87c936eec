import { type TcpOptions, Transport } from '@nestjs/microservices';

/** The injection token of the client. */
export const MESSAGES = Symbol('live:messages');

/** Where the message handlers listen: over TCP, on this computer only. */
export const MESSAGES_OPTIONS = {
  transport: Transport.TCP,
  options: { host: '127.0.0.1', port: Number(process.env['MESSAGES_PORT'] || 3301) },
} as const satisfies TcpOptions;
